// How the motor loop kept its time in a run: how late its ticks began, as bars. Lengths are logarithmic, for one late tick
// in a hundred thousand must still be seen.

/** Show the card of a finished job, if its report has a histogram. */
export function showTiming(card, { timing }) {
  if (!timing?.late_histogram?.length) return;
  const most = Math.log1p(Math.max(...timing.late_histogram.map(([, count]) => count)));
  const number = new Intl.NumberFormat();
  card.querySelector("[data-timing-bars]").replaceChildren(...timing.late_histogram.map(([bound, count]) => {
    const row = document.createElement("li"), meter = document.createElement("meter");
    const [name, amount] = ["span", "span"].map((tag) => document.createElement(tag));
    name.textContent = bound >= 1000 ? `≤ ${bound / 1000} ms` : `≤ ${bound} µs`;
    amount.textContent = number.format(count);
    Object.assign(meter, { min: 0, max: most, value: Math.log1p(count), ariaLabel: `${name.textContent} late: ${amount.textContent} ticks` });
    row.append(name, meter, amount);
    return row;
  }));
  card.querySelector("[data-timing-says]").textContent =
    `How late ${number.format(timing.ticks)} ticks began; ${number.format(timing.missed_ticks ?? 0)} missed`;
  card.hidden = false;
}
