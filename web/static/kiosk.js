// A screen on the wall: one part after the other. While anything is broken that comes back every other time.

export function rotate() {
  const place = document.querySelector(".slides[data-rotate]");
  if (!place) return;
  const slides = [...place.children];
  const broken = document.getElementById("broken");
  let at = 0;
  let turn = 0;
  const show = () => slides.forEach((each, number) => (each.hidden = number !== at));
  const isWell = () => broken.classList.contains("all-well");
  const next = () => {
    const others = slides.length - 1;
    if (others && (isWell() || !at)) at = 1 + (turn++ % others);
    else at = 0;
    show();
  };
  const begin = () => {
    at = 0;
    if (isWell()) next();
    else show();
  };
  begin();
  new MutationObserver(begin).observe(broken, { attributeFilter: ["class"] });
  setInterval(next, (Number(place.dataset.rotate) || 15) * 1000);
}
