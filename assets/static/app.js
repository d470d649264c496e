// What HTML and htmx do not do by themselves. Every page works without it.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (event, handle) => document.addEventListener(event, handle);
  const composer = () => $("#composer");

  function toast(text, tone) {
    const item = $("#toast").content.firstElementChild.cloneNode(true);
    ($("p", item).textContent = text), tone && item.classList.add(tone), $("#toasts").append(item);
    setTimeout(() => item.remove(), tone ? 9000 : 4000);
  }
  // Time: seconds since a start and until an end by the server's clock, and instants in the reader's zone
  let skew = 0;
  function tick() {
    for (const clock of $$("[data-since], [data-until]")) {
      const { since, until } = clock.dataset, now = Date.now() + skew;
      const all = Math.max(0, Math.round((since ? now - Date.parse(since) : Date.parse(until) - now) / 1000));
      const [minutes, seconds] = [Math.floor(all / 60), all % 60];
      if (until) clock.textContent = ` (${minutes}:${String(seconds).padStart(2, "0")} left)`;
      else clock.textContent = minutes ? `${minutes} min ${seconds} s` : `${seconds} s`;
    }
  }
  function localise() {
    for (const time of $$("time[data-local]")) {
      const at = new Date(time.dateTime), dateStyle = at.toDateString() === new Date().toDateString() ? undefined : "medium";
      time.textContent = at.toLocaleString([], { dateStyle, timeStyle: "short" });
      time.removeAttribute("data-local");
    }
  }
  // The composer follows what is chosen in it
  function follow(form) {
    const { strength, mode, batch_size, resolution, model } = form.elements, cost = $("#cost");
    strength.disabled = mode.value !== "image_to_image";
    const shape = $("[name=aspect_ratio]:checked", form)?.dataset.says, size = resolution.selectedOptions[0]?.text;
    $("[data-settings]", form).textContent = [shape, `×${batch_size.value}`, size].filter(Boolean).join(" · ");
    cost.textContent = JSON.parse(cost.dataset.words)[model.value]?.[batch_size.value - 1] ?? "";
  }
  function describeStrength({ value, form }, output = $("output[for=strength]", form)) {
    const words = output.dataset.words.split("|");
    output.textContent = words[Math.min(words.length - 1, Math.floor(value * words.length))];
  }
  const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  function complaint({ accept, dataset }, { type, size }) {
    if (!accept.split(",").includes(type)) return "This file is not a picture we can read. Use PNG, JPEG or WebP up to 20 MB.";
    return size > dataset.max ? "This file is larger than 20 MB." : "";
  }
  // What is wrong with a file is said before it travels; the server says it again
  function showPicture(input) {
    const [file] = input.files;
    const [preview, help, chip] = ["[data-preview]", "#image-help", "[data-chip]"].map((it) => $(it, input.form));
    const wrong = file ? complaint(input, file) : "";
    help.dataset.words ??= help.textContent;
    help.textContent = wrong || (file ? `${file.name} · ${size(file.size)}` : help.dataset.words);
    help.classList.toggle("text-error", !!wrong);
    input.setCustomValidity(wrong);
    URL.revokeObjectURL(preview.src), (preview.hidden = !file || !!wrong);
    if (!preview.hidden) preview.src = URL.createObjectURL(file);
    if (file) chip?.remove(), ($("[data-chooser]", input.form).hidden = false);
    if (file) $("[name=mode][value=image_to_image]", input.form).checked = true;
    follow(input.form);
  }
  function takePicture(event, data) {
    const [input, file, transfer] = [composer()?.elements.image, data?.files[0], new DataTransfer()];
    if (!input || !file) return;
    event.preventDefault(), transfer.items.add(file), (input.files = transfer.files), showPicture(input);
  }
  on("change", ({ target, target: { form } }) => {
    if (form?.id !== "composer") return;
    // From words again: the file that was chosen stays behind.
    if (target.value === "text_to_image" && form.elements.image.value) (form.elements.image.value = ""), showPicture(form.elements.image);
    if (target.name === "image") showPicture(target);
    follow(form);
  });
  on("input", ({ target }) => target.id === "strength" && describeStrength(target));
  on("paste", (event) => takePicture(event, event.clipboardData));
  // A file dropped beside the composer must not take the page away
  const carriesFile = ({ dataTransfer }) => composer() && dataTransfer.types.includes("Files");
  on("dragover", (event) => carriesFile(event) && (event.preventDefault(), (composer().dataset.dragging = "")));
  on("dragleave", ({ relatedTarget }) => relatedTarget || composer()?.removeAttribute("data-dragging"));
  on("drop", (event) => (composer()?.removeAttribute("data-dragging"), carriesFile(event) && takePicture(event, event.dataTransfer)));

  // Every clipboard takes a PNG, whatever the picture is
  const png = (img, canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight)) => (canvas.getContext("2d").drawImage(img, 0, 0), canvas.convertToBlob());
  // The button itself says that it worked; where the browser forbids it the text is marked, to be copied by hand
  async function copy(button, source) {
    try {
      const label = $("[data-copy-label]", button);
      if (source.src) await navigator.clipboard.write([new ClipboardItem({ "image/png": png(source) })]);
      else await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      toast("Copied");
      if (label) (label.textContent = "Copied"), setTimeout(() => (label.textContent = "Copy"), 2000);
    } catch {
      if (source.src) toast("This browser lets no page copy a picture. Download it instead.", "alert-warning");
      else source.select ? source.select() : getSelection().selectAllChildren(source);
    }
  }
  // Keys press what carries them, where that is one thing: the one on the page, or the one beside what has the focus
  function press(key) {
    const all = $$(`[data-key="${CSS.escape(key)}"]`), near = document.activeElement?.closest("[id^=picture-]");
    const target = all.length > 1 ? all.find((it) => near?.contains(it)) : all[0];
    target?.matches("input") ? target.focus() : target?.click();
    return !!target;
  }
  on("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    const send = event.target.form?.id === "composer" && $("[type=submit]:enabled", composer());
    if (!event.target.closest("#turns")) $("#turns")?.scrollBy({ top: ({ PageUp: -0.8, PageDown: 0.8 }[event.key] ?? 0) * innerHeight });
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && send) composer().requestSubmit(send);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open], :popover-open")) return;
    if (event.key === "?") return $("#shortcuts")?.showModal();
    if (event.key === "/" && composer()) (event.preventDefault(), composer().elements.prompt.focus());
    else if (press(event.key)) event.preventDefault();
  });
  on("click", async ({ target }) => {
    const button = target.closest?.("[data-copy], [data-dialog], [data-share]");
    if (button?.dataset.dialog) $(button.dataset.dialog).showModal();
    if (button?.dataset.copy) await copy(button, $(button.dataset.copy));
    // Who comes back from a picture comes back to its turn
    if (target.closest?.("#feed a.cell-frame")) history.replaceState(null, "", `#${target.closest("[id^=turn-]").id}`);
    if (button?.dataset.share) await navigator.share({ url: $(button.dataset.share).value }).catch(() => {});
  });
  if (navigator.share) document.documentElement.classList.add("can-share");
  // Being told on this device: the person and the browser agree first, then we hear where it is told
  const telling = $("form[data-push]"), unable = (is) => ((telling.hidden = is), ($("[data-push-unable]").hidden = !is));
  async function agree() {
    if ((await Notification.requestPermission()) !== "granted") throw 0;
    const { pushManager } = await navigator.serviceWorker.ready;
    await (await pushManager.getSubscription())?.unsubscribe();
    const { endpoint, keys } = (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: telling.dataset.push })).toJSON();
    const { ok, url } = await fetch(telling.action, { method: "POST", body: new URLSearchParams({ endpoint, ...keys }) });
    ok ? location.assign(url) : unable(true);
  }
  if (telling && window.PushManager && window.Notification?.permission !== "denied") unable(false);
  telling?.addEventListener("submit", (event) => (event.preventDefault(), event.stopPropagation(), agree().catch(() => unable(true))));
  // A finger drawn across a large picture goes to the one beside it; two fingers zoom
  let from = null;
  on("touchstart", ({ target, touches: [finger, other] }) => (from = !other && target.closest("[data-swipe]") && finger));
  on("touchend", ({ changedTouches: [finger] }) => {
    const [x, y] = from ? [finger.clientX - from.clientX, finger.clientY - from.clientY] : [0, 0];
    if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y) && (visualViewport?.scale ?? 1) < 1.05) press(x > 0 ? "ArrowLeft" : "ArrowRight");
  });
  // A plain form shows that it is on its way, and is sent once
  on("submit", ({ target, submitter }) => {
    if (target.hasAttribute("hx-post") || target.method === "dialog" || !submitter) return;
    submitter.setAttribute("aria-busy", "true");
    setTimeout(() => (submitter.disabled = true));
  });
  window.addEventListener("pageshow", ({ persisted }) => persisted && $("[aria-busy=true]") && location.reload());
  // The turns scroll in a box of their own, in a low window with the page. At once: on its way it would miss what grows
  const showNewest = () => $("#feed > :last-child") && $$("#turns, html").forEach((box) => box.scrollTo({ top: box.scrollHeight, behavior: "instant" }));
  // Another picture, or none, stands in the composer: how it works follows, the words stay
  const startFrom = () => ($(`[name=mode][value=${$("[name=input]", composer()) ? "image_to_image" : "text_to_image"}]`, composer()).checked = true);
  const settle = () => (tick(), localise(), composer() && follow(composer()));
  // What is asked for in the background was not seen by anybody
  on("htmx:config:request", ({ detail: { ctx } }) => document.hidden && (ctx.request.headers["Page-Hidden"] = "true"));
  on("htmx:before:request", ({ detail: { ctx } }, bubble = $(".hx-pending [data-pending-prompt]")) => {
    if (bubble && ctx.target?.id === "feed") (bubble.textContent = ctx.request.body.get("prompt")), showNewest();
  });
  on("htmx:after:request", ({ detail: { ctx } }) => (skew = (Date.parse(ctx.response.headers.get("date")) || Date.now()) - Date.now()));
  // What became ready while somebody looked elsewhere stands in the title
  let [title, ready] = [document.title, 0];
  on("visibilitychange", () => (document.hidden ? (title = document.title) : ready && ((ready = 0), (document.title = title))));
  on("htmx:before:swap", ({ detail: { ctx } }) => (ctx.stood = document.activeElement?.closest("[id]")?.id));
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    const id = ctx.target?.id ?? "";
    if (document.hidden && /^(run-|queue)/.test(id) && !document.getElementById(id)?.hasAttribute("hx-trigger")) document.title = `(${++ready}) ready · ${title}`;
    (ctx.target?.id === "source" && startFrom()), settle();
    // Whoever pressed what is gone goes on at what bears its name now
    if (document.activeElement === document.body) document.getElementById(ctx.stood)?.focus({ preventScroll: true });
    if (["source", "composer"].includes(ctx.target?.id) && ctx.request.method === "GET") composer()?.elements.prompt.focus();
    if (ctx.target?.id !== "feed" || ctx.response.status >= 400) return;
    // What the composer was started with has been sent: a reload must not put it there again.
    history.replaceState(null, "", location.pathname);
    showNewest();
    const stays = !matchMedia("(pointer: fine)").matches || document.activeElement?.closest("#feed");
    if (!stays) composer()?.elements.prompt.focus({ preventScroll: true });
  });
  on("htmx:response:error", ({ detail: { ctx } }) => {
    if (ctx.request.method !== "POST" || [402, 422].includes(ctx.response.status)) return;
    const said = $$("[data-error-text]", new DOMParser().parseFromString(ctx.text, "text/html")).map((part) => part.textContent.trim());
    const guess = ctx.response.status === 413 ? "That file is too large." : "Something broke on our side. Your words are still here; please try again.";
    toast(said.join(". ") || guess, "alert-error");
  });
  on("htmx:error", ({ detail: { ctx } }) => {
    if (ctx?.request.method === "POST") toast("No answer from the server. Your words are still here; please try again.", "alert-error");
  });
  // Clips of the landing run while they are in sight, unless motion is unwelcome; one button stops them all
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches, stop = $("[data-clips]"), runs = () => !calm && stop.ariaPressed !== "true";
  const seen = (clips) => clips.forEach(({ target, isIntersecting }) => (isIntersecting && runs() ? target.play().catch(() => {}) : target.pause()));
  const sight = stop && new IntersectionObserver(seen);
  const look = () => $$("video.clip").forEach((clip) => ((clip.controls = !runs()), sight.unobserve(clip), sight.observe(clip)));
  if (stop) (stop.hidden = calm), look(), stop.addEventListener("click", () => ((stop.ariaPressed = runs()), look()));
  // What a tag manager is told, where one is named
  const gtm = $("[data-gtm]")?.dataset;
  if (gtm) window.dataLayer = [...(gtm.userId ? [{ userId: gtm.userId, email: gtm.email }] : []), { "gtm.start": Date.now(), event: "gtm.js" }];
  if ($("link[rel=manifest]")) navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
  setTimeout(() => $$("[data-autohide]").forEach((item) => item.remove()), 8000);
  settle(), setInterval(tick, 1000), location.hash.startsWith("#turn-") || showNewest();
})();
