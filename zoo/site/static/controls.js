// Sliders and fields for all limits of a look-up.
"use strict";
earshot.controls = (function () {
  const { element, byId } = earshot;
  const EITHER = { commercial: "commercial use", streaming: "streams" };
  const SWITCHES = {
    cheaper: "a cheaper one, where it is within noise of the best",
    unproven: "let the estimate of false alarms keep the limit",
    sure: "let the interval's upper end keep limits on the device",
    ignore_limits: "go beyond the flash and RAM that the device has",
  };
  const LEAST = {
    min_accuracy: ["validation", "least accuracy on validation, such as 95.5%"],
    min_recall: ["detection_recall", "least share of words found in a stream, such as 90%"],
  };
  const ALARMS = ["false_alarms_upper", "most false alarms an hour in a stream, by their 95 % upper bound"];
  const STREAM = {
    every_ms: "of power: from answer to answer, such as 100 (without: one a clip)",
    sleep_power_uw: "of power: of the device asleep (without: as is known of it)",
  };
  const fields = new Map(),
    sliders = new Map();
  let changed = () => {},
    ranged = null;

  const title = (name) => name.replaceAll("_", " ");

  function field(name, control, help) {
    const told = help ? element("small", { id: `help-${name}` }, help) : null;
    control.id = `field-${name}`;
    control.name = name;
    if (told) control.setAttribute("aria-describedby", told.id);
    control.addEventListener("input", () => changed(name));
    fields.set(name, control);
    return element("div", { class: "field" }, element("label", { for: control.id }, title(name)), control, told);
  }

  const input = (list) => element("input", { type: "text", autocomplete: "off", spellcheck: "false", list });

  function select(options) {
    return element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)));
  }

  function suggested(name, words) {
    const list = `known-${name}`;
    return [element("datalist", { id: list }, ...words.map((word) => element("option", { value: word }))), list];
  }

  function texted(name, words, help) {
    const [list, known] = suggested(name, words);
    const made = field(name, input(known), help);
    made.append(list);
    return made;
  }

  function toggle(name) {
    const box = element("input", { type: "checkbox", id: `field-${name}`, name });
    box.addEventListener("input", () => changed(name));
    fields.set(name, box);
    return element("div", { class: "field switch" }, box, element("label", { for: box.id }, SWITCHES[name]));
  }

  // A slider over the figures that models have, and a field for any other.
  function limited(name, figure, help, least) {
    const box = input(),
      slider = element("input", { type: "range", min: 0, max: 0, step: 1 });
    slider.setAttribute("aria-label", `${title(name)}, by the figures of models`);
    slider.addEventListener("input", () => {
      box.value = slid(sliders.get(name), Number(slider.value));
      changed(name);
    });
    sliders.set(name, { slider, figure, least, values: [] });
    const made = field(name, box, help);
    made.classList.add("limited");
    made.insertBefore(slider, box.nextSibling);
    return made;
  }

  // What a place of a slider asks for; the last place of a most, and the first of a least, asks for nothing.
  function slid({ values, least }, place) {
    const value = least ? values[place - 1] : values[place];
    return value === undefined ? "" : typed(value, least);
  }

  const typed = (value, least) => (least ? `${earshot.units.rounded(100 * value, 2)}%` : String(value));

  function group(legend, ...parts) {
    return element("fieldset", {}, element("legend", {}, legend), ...parts);
  }

  const known = (name) => [...new Set(earshot.data.models.map((model) => model[name]))].sort();
  const any = (options) => [["", "any"], ...options.map((one) => [one, one])];

  function build(place, onChange) {
    const { limits, devices, models } = earshot.data;
    const first = limits.filter((limit) => limits.find((one) => one.field === limit.field) === limit);
    const [own, there] = [first.filter((limit) => !limit.on_device), first.filter((limit) => limit.on_device)];
    const labels = [...new Set(models.flatMap((model) => model.labels))].filter((one) => !/^_.*_$/.test(one)).sort();
    place.replaceChildren(
      group(
        "What for",
        field("task", select(any(known("task")))),
        texted("words", labels.slice(0, 1000), "that it knows all of these, with commas between"),
        limited("min_accuracy", ...LEAST.min_accuracy, true),
        toggle("cheaper"),
      ),
      group("What it costs", ...own.map((limit) => limited(limit.name, limit.field, limit.help))),
      group(
        "On a device",
        field("device", select([["", "any"], ...devices.map((one) => [one.profile, deviceText(one)])])),
        ...there.map((limit) => limited(limit.name, limit.field, limit.help)),
        ...Object.entries(STREAM).map(([name, help]) => field(name, input(), help)),
        toggle("sure"),
        toggle("ignore_limits"),
      ),
      group(
        "In a stream",
        limited("max_false_alarms", ...ALARMS),
        limited("min_recall", ...LEAST.min_recall, true),
        toggle("unproven"),
      ),
      group(
        "What it is",
        field("bits", select(any(known("bits").map(String)))),
        field("activation_bits", select(any(known("activation_bits").map(String)))),
        ...Object.entries(EITHER).map(([name]) =>
          field(
            name,
            select([
              ["", "any"],
              ["true", "yes"],
              ["false", "no"],
            ]),
          ),
        ),
        ...["family", "licence", "dataset"].map((name) => texted(name, known(name), "or a pattern, such as cc-by-*")),
        texted(
          "name",
          models.map((model) => model.name),
          "of exactly one model",
        ),
      ),
    );
    changed = (name) => onChange(name);
  }

  const deviceText = (one) =>
    [one.device, one.clock_mhz ? `${one.clock_mhz} MHz` : "", one.runtime].filter(Boolean).join(", ");

  // What the fields ask for.
  function read() {
    const query = {};
    for (const [name, control] of fields) {
      if (control.type === "checkbox") query[name] = control.checked;
      else if (name === "words")
        query[name] = control.value
          .split(",")
          .map((word) => word.trim())
          .filter(Boolean);
      else if (name in EITHER) query[name] = control.value === "" ? undefined : control.value === "true";
      else query[name] = control.value.trim();
    }
    return earshot.address.tidy(query);
  }

  function write(query) {
    for (const [name, control] of fields) {
      const value = query[name];
      if (control.type === "checkbox") control.checked = Boolean(value);
      else if (control.tagName === "SELECT") choose(control, value === undefined ? "" : String(value));
      else control.value = [value === undefined ? "" : value].flat().join(", ");
    }
  }

  // What an address asks for is asked, even where no model has it.
  function choose(control, value) {
    if (![...control.options].some((option) => option.value === value))
      control.append(element("option", { value }, value));
    control.value = value;
  }

  // Sliders over the figures of the models of a task, on a device where that is known.
  function range(query, device) {
    const task = earshot.data.models.some((model) => model.task === query.task) ? query.task : "";
    const now = JSON.stringify([task, device && device.profile]);
    for (const [name, one] of sliders) {
      if (now !== ranged) spread(one, task, device);
      place(name, one);
    }
    ranged = now;
    const without = !earshot.conditions.isGiven(query.device);
    const there = earshot.data.limits.filter((limit) => limit.on_device).map((limit) => limit.name);
    for (const name of [...there, ...Object.keys(STREAM), "sure", "ignore_limits"]) {
      const control = fields.get(name);
      if (control) control.disabled = without && !(control.value && control.type !== "checkbox") && !control.checked;
    }
  }

  // The figures that a slider steps through.
  function spread(one, task, device) {
    const column = earshot.data.taken.indexOf(one.figure),
      rows = device ? device.rows : [];
    const figure = (model, place) => (column < 0 ? model[one.figure] : rows[place] && rows[place][column]);
    const found = earshot.data.models.map((model, place) =>
      task && model.task !== task ? null : figure(model, place),
    );
    const numbers = found
      .filter((value) => typeof value === "number")
      .map((value) => (one.least ? Math.floor(value * 1e4 + 1e-6) / 1e4 : value));
    one.values = [...new Set(numbers)].sort((low, high) => low - high);
    one.slider.max = one.values.length;
    one.slider.disabled = !one.values.length;
  }

  // The slider stands at the last figure that keeps what is typed.
  function place(name, one) {
    const { slider, values, least } = one,
      text = fields.get(name).value.trim();
    let amount = null;
    try {
      if (text) amount = amountOf(name, text);
    } catch (error) {
      if (!(error instanceof earshot.units.Invalid)) throw error;
    }
    if (amount === null) slider.value = least ? 0 : values.length;
    else
      slider.value = least
        ? values.filter((value) => value <= amount).length
        : Math.max(0, values.filter((value) => value <= amount).length - 1);
    const said = text || "no limit";
    slider.setAttribute("aria-valuetext", said);
  }

  function amountOf(name, text) {
    if (name in LEAST) return earshot.units.share(name, text);
    const limit = earshot.conditions.limitOf(name);
    return limit ? earshot.units[limit.reads](name, text) : earshot.units.anHour(name, text);
  }

  function mark(limit) {
    for (const [name, control] of fields) {
      if (name === limit) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }

  return { build, mark, range, read, write, fields };
})();
