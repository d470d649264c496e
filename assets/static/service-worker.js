// Answers when the network does not: with one page that says so. Nothing else is kept, so nobody sees yesterday's pages,
// and nobody's pictures stay on a device.
const SHELL = "offline-1";
const PAGE = "/offline";

self.addEventListener("install", (event) => {
  const keep = async () => {
    const page = await fetch(PAGE, { cache: "no-store" });
    const files = [...(await page.clone().text()).matchAll(/(?:href|src)="(\/static\/[^"#]+)/g)].map((found) => found[1]);
    const cache = await caches.open(SHELL);
    await cache.put(PAGE, page);
    await cache.addAll([...new Set(files)]);
  };
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const forget = async () => Promise.all((await caches.keys()).filter((name) => name !== SHELL).map((name) => caches.delete(name)));
  event.waitUntil(forget().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  if (mode === "navigate") event.respondWith(fetch(event.request).catch(() => caches.match(PAGE)));
  else if (new URL(url).pathname.startsWith("/static/")) event.respondWith(fetch(event.request).catch(async () => (await caches.match(url)) ?? Response.error()));
});

// Something became ready while nobody looked at it: said once, and a click leads there.
const pages = async (path) => (await clients.matchAll({ type: "window", includeUncontrolled: true })).filter((it) => new URL(it.url).pathname === path.split("#")[0]);

self.addEventListener("push", (event) => {
  const { title, body, path, tag } = event.data.json();
  const tell = async () => {
    if ((await pages(path)).some((it) => it.visibilityState === "visible")) return;
    await registration.showNotification(title, { body, tag, icon: "/static/icons/icon-192.png", data: path });
  };
  event.waitUntil(tell());
});

self.addEventListener("notificationclick", (event) => {
  const { data: path } = event.notification;
  event.notification.close();
  event.waitUntil(pages(path).then(([open]) => (open ? open.focus() : clients.openWindow(path))));
});
