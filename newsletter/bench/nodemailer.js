// nodemailer as its manual pools it: every copy composed from text and HTML of its own, several under way at once.
// Reads a load as JSON on standard input and writes one reading.
const fs = require("node:fs");

const load = JSON.parse(fs.readFileSync(0, "utf8"));
const nodemailer = require(load.folder);

const signing = load.key && {
  domainName: load.sender.split("@")[1],
  keySelector: "bench",
  privateKey: fs.readFileSync(load.key, "utf8"),
};
const transport = nodemailer.createTransport({
  pool: true,
  host: load.host,
  port: load.port,
  secure: false,
  ignoreTLS: true,
  maxConnections: load.connections,
  maxMessages: Infinity,
  ...(signing ? { dkim: signing } : {}),
});

let next = 1;
let sent = 0;
const start = process.hrtime.bigint();
const cpu = process.cpuUsage();
const elapsed = () => Number(process.hrtime.bigint() - start) / 1e9;

async function sendSome() {
  while (next <= load.recipients && elapsed() < load.seconds) {
    const to = `reader${next++}@example.org`;
    await transport.sendMail({
      from: load.sender,
      to,
      subject: load.subject,
      text: load.text.replaceAll(load.recipient, to),
      html: load.html.replaceAll(load.recipient, to),
      textEncoding: "quoted-printable",
    });
    sent += 1;
  }
}

// Twice as many under way as there are connections, so that none waits for a copy to be composed.
const underWay = Array.from({ length: 2 * load.connections }, sendSome);
Promise.all(underWay)
  .then(() => {
    const seconds = elapsed();
    const used = process.cpuUsage(cpu);
    transport.close();
    console.log(JSON.stringify({ messages: sent, seconds, cpu_seconds: (used.user + used.system) / 1e6 }));
  })
  .catch((fault) => {
    console.error(fault.message);
    process.exit(1);
  });
