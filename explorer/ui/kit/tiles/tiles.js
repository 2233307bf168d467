// A list of images with words below them. The images come as one sheet, the words as text, never as markup.

const shown = new WeakMap(); // by list element: what it shows

export default function ({ parentElement, data, setTriggerValue }) {
  const list = parentElement.querySelector(".tiles");
  const { selected, ...content } = data;
  const fingerprint = JSON.stringify(content);
  if (shown.get(list) !== fingerprint) {
    // What is shown already stays, and so does the focus.
    shown.set(list, fingerprint);
    list.style.cssText = `--sheet: url("${data.sheet}"); --width: ${data.width}px; --height: ${data.height}px`;
    list.replaceChildren(...data.tiles.map((tile, place) => item(tile, place, data)));
  }
  for (const button of list.querySelectorAll("button")) {
    button.ariaPressed = selected === null ? null : String(Number(button.dataset.row) === selected);
  }
  list.onkeydown = move;
  list.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) setTriggerValue("picked", Number(button.dataset.row));
  };
}

function item(tile, place, { height, clickable }) {
  const picture = element("span", "picture");
  picture.style.backgroundPositionY = `${-place * height}px`;
  const notes = tile.notes.map(note);
  const words = [element("span", "", tile.title), ...notes];
  const box = element(clickable ? "button" : "div", "tile", picture, ...words);
  box.title = tile.description;
  if (clickable) {
    // Its name is what is written on it, so that it can be called by that, and more for those who cannot see it.
    box.append(element("span", "unseen", tile.more));
    box.type = "button";
    box.dataset.row = tile.row;
  } else {
    Object.assign(picture, { role: "img", ariaLabel: tile.description });
  }
  return element("li", "", box);
}

function note({ text, right }) {
  const words = right === null ? "" : right ? ", right" : ", wrong";
  return element("span", right === false ? "wrong" : "", sign(right) + text, element("span", "unseen", words));
}

const sign = (right) => (right === null ? "" : right ? "✓\u00a0" : "×\u00a0");

// Arrow keys go from image to image, as Tab does.
function move(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const target = step && buttons[buttons.indexOf(event.target) + step];
  if (!target) return;
  event.preventDefault();
  event.stopPropagation();
  target.focus();
}

function element(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}
