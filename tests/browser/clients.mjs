// What mail clients cannot show. Reads {page: html}, writes [{title, client, page}], both as files:
// node clients.mjs PAGES.json FAULTS.json CLIENT...
import { readFileSync, writeFileSync } from "node:fs";
import { caniemail } from "caniemail";
import { clientNames } from "./node_modules/caniemail/dist/clients.js";

// Outlook on the web is in the package's data, but not in the list of names it accepts.
clientNames.push("outlook.outlook-com");

const [pages, report, ...clients] = process.argv.slice(2);
const faults = [];
for (const [page, html] of Object.entries(JSON.parse(readFileSync(pages, "utf8")))) {
  for (const [client, issues] of caniemail({ clients, html }).issues.errors) {
    for (const { title } of issues) faults.push({ title, client, page });
  }
}
writeFileSync(report, JSON.stringify(faults));
