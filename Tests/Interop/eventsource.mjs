// Runs the snippet of docs/http-api.md as a page would: SNIPPET holds it, SESSION the session. Prints each event as a line of JSON.
const { listen } = await import(`data:text/javascript,${encodeURIComponent(process.env.SNIPPET + "\nexport { listen };")}`);
await listen(process.env.SESSION, (name, data) => console.log(JSON.stringify({ name, data })));
