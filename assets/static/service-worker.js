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
