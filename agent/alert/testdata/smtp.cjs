// A mail server of other hands for peer_test.go: npm's smtp-server. Arguments: the
// folder with node_modules, a PEM file with certificate and key, "starttls" or
// "implicit". It prints its port, then each mail as a line of JSON.
const [, , modules, pem, how] = process.argv;
const { SMTPServer } = require(modules + "/node_modules/smtp-server");
const text = require("fs").readFileSync(pem);
const server = new SMTPServer({
  secure: how === "implicit",
  key: text,
  cert: text,
  onAuth(auth, session, done) {
    const good = auth.username === "lab" && auth.password === "geheim";
    done(good ? null : new Error("wrong name or password"), { user: auth.username });
  },
  onData(stream, session, done) {
    let mail = "";
    stream.on("data", (b) => (mail += b));
    stream.on("end", () => {
      console.log(JSON.stringify({ from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map((r) => r.address), secure: session.secure, user: session.user, mail }));
      done();
    });
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
