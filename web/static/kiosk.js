// A screen on the wall: one part after the other. What is broken comes back every other time.

export function rotate() {
  const slides = [...document.querySelectorAll(".slides[data-rotate] > .slide")];
  if (slides.length < 2) return;
  const seconds = Number(slides[0].parentElement.dataset.rotate) || 15;
  let at = 0;
  const show = () => slides.forEach((each, place) => (each.hidden = place !== at));
  show();
  setInterval(() => {
    at = (at + 1) % slides.length;
    show();
  }, seconds * 1000);
}
