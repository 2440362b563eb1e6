// Figures in words, as the server writes them.

export function took(seconds) {
  if (seconds < 0) return `-${took(-seconds)}`;
  if (seconds < 10) return `${Math.round(seconds * 10) / 10}s`;
  const parts = [];
  let rest = Math.round(seconds);
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}
