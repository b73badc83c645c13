// Elements of the page by their id; a text is only set where it changes.

export const element = (id) => document.getElementById(id);

export function setText(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text;
}
