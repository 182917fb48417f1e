// Finding a model: the fields, the address, the answer, the picture and the table follow one another.
"use strict";
(function () {
  const { byId, element, data, controls } = earshot;
  let asked = "",
    offered,
    waits = false,
    rests = false,
    written = null;

  // The number of a device by its profile, or the beginning of it.
  function deviceOf(name) {
    if (!earshot.conditions.isGiven(name)) return -1;
    const wanted = name.toLowerCase(),
      exact = data.devices.findIndex((one) => one.profile === name || one.profile === wanted);
    const begin = data.devices.filter((one) => one.profile.toLowerCase().startsWith(wanted));
    return exact >= 0 || begin.length !== 1 ? exact : data.devices.indexOf(begin[0]);
  }

  async function load(query) {
    const number = deviceOf(query.device);
    return number < 0 ? null : data.onDevice(number);
  }

  function costOf(name, device) {
    const column = data.taken.indexOf(name);
    if (column < 0) return (model) => model[name] || null;
    return (_, place) => (device && device.rows[place] ? device.rows[place][column] : null);
  }

  function limitOn(name, query) {
    const limits = data.limits.filter((limit) => limit.field === name && query[limit.name]);
    try {
      return limits.length ? earshot.units[limits[0].reads](limits[0].name, query[limits[0].name]) : null;
    } catch (error) {
      return null;
    }
  }

  function draw(result, query, device) {
    const name = byId("cost").value,
      cost = costOf(name, device),
      fitting = new Set(result.places);
    const points = data.models
      .map((model, place) => ({
        model,
        place,
        cost: cost(model, place),
        share: model.validation,
        fits: fitting.has(place),
      }))
      .filter((point) => !query.task || point.model.task === query.task || point.fits);
    earshot.picture.draw(
      byId("picture"),
      points,
      byId("cost").selectedOptions[0].textContent,
      result.chosen,
      limitOn(name, query),
    );
  }

  function offerCosts(device) {
    if (offered === device) return;
    offered = device;
    const box = byId("cost"),
      before = box.value || "flash_bytes";
    const there = device ? data.on_device.filter((one) => data.taken.includes(one.name)) : [];
    const all = [...data.costs.filter((one) => one.name !== "false_alarms_per_hour"), ...there];
    box.replaceChildren(
      ...all.map((one) =>
        element(
          "option",
          { value: one.name },
          one.unit && !one.head.includes(one.unit) ? `${one.head}, ${one.unit}` : one.head,
        ),
      ),
    );
    box.value = all.some((one) => one.name === before) ? before : "flash_bytes";
  }

  function unknownDevice(query) {
    return { kind: "unknown", message: `no profile for device '${query.device}'`, places: [] };
  }

  async function show(query) {
    let device = null;
    try {
      device = await load(query);
    } catch (error) {
      byId("answer").replaceChildren(element("p", { class: "none" }, error.message));
      return;
    }
    if (earshot.address.write(query) !== asked) return;
    const result = query.device && !device ? unknownDevice(query) : earshot.get(query, device);
    controls.range(query, device);
    controls.mark(result.limit);
    offerCosts(device);
    earshot.answer.show(result, query, device);
    draw(result, query, device);
    earshot.table.draw(result, query, device);
    byId("cost").onchange = () => draw(result, query, device);
    document.body.dataset.shown = asked;
  }

  // Of what is typed while a picture is being drawn only the last is drawn.
  function soon() {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      const query = controls.read();
      asked = earshot.address.write(query);
      toAddress();
      show(query);
    });
  }

  // Browsers drop addresses that change more often than some twenty times a second.
  function toAddress() {
    if (rests || earshot.address.write(earshot.address.read(location.hash)) === asked) return;
    rests = true;
    written = asked;
    location.replace(asked);
    setTimeout(() => {
      rests = false;
      toAddress();
    }, 100);
  }

  function fromAddress() {
    const query = earshot.address.read(location.hash),
      said = earshot.address.write(query);
    if (said === asked || said === written) return;
    asked = said;
    written = null;
    controls.write(query);
    show(query);
  }

  controls.build(byId("limits"), soon);
  earshot.table.listen();
  byId("reset").addEventListener("click", () => {
    controls.write({});
    soon();
  });
  // The address holds the query, so this link moves the focus alone.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("answer").focus();
  });
  window.addEventListener("hashchange", fromAddress);
  asked = null;
  fromAddress();
})();
