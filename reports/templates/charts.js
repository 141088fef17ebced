"use strict";
(async () => {
  const specs = JSON.parse(document.getElementById("chart-data").textContent);
  const options = { renderer: "svg", actions: false, ast: true };
  for (const element of document.querySelectorAll("[data-chart]")) {
    try {
      await window.vegaEmbed(element, specs[element.dataset.chart], options);
      // The element says in words what is drawn; by themselves the marks inside have no names.
      for (const drawn of element.children) drawn.setAttribute("aria-hidden", "true");
    } catch (error) {
      element.textContent = "This chart could not be drawn: " + error;
    }
  }
  document.documentElement.dataset.drawn = "yes";
})();
