// Uploads that were begun and are not done yet. The browser keeps their names, so that they go on after a reload.
const PLACE = "gallery-uploads";

const all = () => JSON.parse(localStorage.getItem(PLACE) ?? "[]");
const others = (id) => all().filter((one) => one.id !== id);
const keep = (list) => localStorage.setItem(PLACE, JSON.stringify(list));

export const remembered = (user) => all().filter((one) => one.user === user);
export const remember = (id, user, { name, size, modified }) =>
  keep([...others(id), { id, user, name, size, modified }]);
export const forget = (id) => keep(others(id));
