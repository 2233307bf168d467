// Probabilities as bars: a row for each class, in it a cell for each model.

// As numbers.percent: what is neither none nor all is not rounded to that.
const percent = (share) => {
  if (share > 0 && share < 0.0005) return "<0.1%";
  if (share < 1 && share >= 0.9995) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
};

class Bars {
  constructor(section) {
    this.section = section;
    this.find = (selector) => section.querySelector(selector);
  }

  // Returns what a screen reader says.
  show(models) {
    this.section.hidden = !models.length;
    if (!models.length) return "";
    const { classes, colours, target } = models[0];
    const look = JSON.stringify([classes, colours, models.map(({ title }) => title)]);
    if (look !== this.look) this.build(models);
    this.look = look;
    this.rows.forEach(({ item }, index) => item.classList.toggle("target", index === target));
    return models.map((model, column) => this.fill(model, column)).join("");
  }

  fill({ classes, probabilities: shares, title }, column) {
    const order = shares ? [...shares.keys()].sort((a, b) => shares[b] - shares[a]) : [];
    this.rows.forEach(({ cells }, index) => {
      const cell = cells[column];
      cell.dataset.rank = order.indexOf(index) + 1;
      cell.querySelector(".fill").style.transform = `scaleX(${shares?.[index] ?? 0})`;
      cell.querySelector(".percent").textContent = shares ? percent(shares[index]) : "\u2013";
    });
    return shares ? `${title || "Most likely"}: ${classes[order[0]]}, ${percent(shares[order[0]])}. ` : "";
  }

  build(models) {
    const copy = (name, words) => {
      const made = this.find(`template.${name}`).content.firstElementChild.cloneNode(true);
      made.querySelector(".words").textContent = made.title = words;
      return made;
    };
    this.section.style.setProperty("--models", models.length);
    this.find(".models").replaceChildren(...models.map(({ title }) => copy("model", title)));
    this.rows = models[0].classes.map((name, index) => {
      const item = copy("row", name);
      const cells = models.map(({ title }) => copy("share", title));
      for (const cell of cells) cell.querySelector(".fill").style.background = models[0].colours[index];
      item.append(...cells);
      return { item, cells };
    });
    this.find("ol").replaceChildren(...this.rows.map(({ item }) => item));
  }
}
