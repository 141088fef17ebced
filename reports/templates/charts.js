"use strict";
(async () => {
  const specs = JSON.parse(document.getElementById("chart-data").textContent);
  const options = { renderer: "svg", actions: false, ast: true };
  for (const element of document.querySelectorAll("[data-chart]")) {
    try {
      await window.vegaEmbed(element, specs[element.dataset.chart], options);
    } catch (error) {
      element.textContent = "This chart could not be drawn: " + error;
    }
  }
  document.documentElement.dataset.drawn = "yes";
})();
