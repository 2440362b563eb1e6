// Makes one element like another with as few changes as possible, so that focus, selection and scroll stay.

const OWN = new Set(["open", "value", "checked"]); // of the person who looks at it

export function morph(known, wanted) {
  if (known.isEqualNode(wanted)) return;
  attributes(known, wanted);
  if (known.dataset?.chart !== undefined) return; // it is drawn anew
  children(known, wanted);
}

function attributes(known, wanted) {
  for (const { name } of [...known.attributes]) {
    if (!wanted.hasAttribute(name) && !OWN.has(name) && name !== "hidden") known.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (known.getAttribute(name) !== value && !OWN.has(name)) known.setAttribute(name, value);
  }
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.key || null : null);

function children(known, wanted) {
  const keyed = new Map();
  for (const child of known.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = known.firstChild;
  for (const fresh of [...wanted.childNodes]) {
    const key = keyOf(fresh);
    let match = key ? keyed.get(key) : place;
    if (!key) while (match && keyOf(match)) match = match.nextSibling;
    if (match && match.nodeType === fresh.nodeType && match.nodeName === fresh.nodeName) {
      if (match !== place) known.insertBefore(match, place);
      else place = place.nextSibling;
      keyed.delete(key);
      if (match.nodeType === Node.ELEMENT_NODE) morph(match, fresh);
      else if (match.data !== fresh.data) match.data = fresh.data;
    } else {
      const added = document.importNode(fresh, true);
      if (key && added.classList) added.classList.add("fresh");
      known.insertBefore(added, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
