// Draws each [data-chart] from the JSON of the element it names; the numbers stand in the table below it anyway.
(() => {
  const INKS = ["--color-primary", "--color-error", "--color-accent", "--color-info"];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function draw(place) {
    const { days, series } = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const muted = ink("--color-base-content");
    const grid = { stroke: ink("--color-base-300"), width: 1 };
    const axis = { stroke: muted, grid, ticks: grid, font: "12px system-ui" };
    const options = {
      width: place.clientWidth,
      height: 220,
      cursor: { y: false },
      scales: { y: { range: (_, low, high) => [Math.min(0, low), Math.max(1, high)] } },
      axes: [{ ...axis, space: 60 }, { ...axis, size: 48 }],
      series: [
        { label: "Day", value: (_, at) => (at == null ? "" : new Date(at * 1000).toISOString().slice(0, 10)) },
        ...series.map((line, i) => ({ label: line.label, stroke: ink(INKS[i % INKS.length]), width: 2, points: { show: false } })),
      ],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    };
    const data = [days.map((day) => Date.parse(day) / 1000), ...series.map((line) => line.values)];
    const plot = new uPlot(options, data, place);
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 220 })).observe(place);
    return plot;
  }

  const places = [...document.querySelectorAll("[data-chart]")];
  let plots = places.map(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plots.forEach((plot) => plot.destroy());
    plots = places.map(draw);
  });
})();
