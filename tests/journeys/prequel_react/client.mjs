// The published client, used as an application's page uses it. Prints one JSON object.
import { createElement } from "react";
import renderer from "react-test-renderer";

globalThis.window = globalThis;
const prequel = await import("@prequel/react");
const [host, origin, token] = process.argv.slice(2);
const fetchToken = async () => token;

// Render a hook in a component until `ready` says so of what it gives.
async function rendered(hook, ready = (value) => value !== undefined) {
  let value;
  const Page = () => {
    value = hook();
    return null;
  };
  let page;
  await renderer.act(async () => {
    page = renderer.create(createElement(Page));
  });
  for (let tries = 0; tries < 200 && !ready(value); tries += 1) {
    await renderer.act(() => new Promise((done) => setTimeout(done, 25)));
  }
  page.unmount();
  return value;
}

const TEXTS = {
  service_account_email: "name@project.iam.gserviceaccount.com",
  aws_iam_role_arn: "arn:aws:iam::123456789012:role/name",
  password: "canary-react-8f2c",
  delimiter: ";",
};

function filled(field) {
  if (field.const !== undefined) return field.const;
  if (field.enum?.length) return field.enum[0].key;
  if (field.type === "number") return "22";
  if (field.type === "json") return '{"type": "service_account"}';
  return TEXTS[field.name] ?? "x.example";
}

// Fill the form in, field by field: a choice shows more fields.
async function fill(start) {
  let destination = { ...prequel.getDefaultDestination(), ...start };
  let form;
  const given = new Set(Object.keys(start));
  for (let round = 0; round < 5; round += 1) {
    const now = destination;
    form = await rendered(() => prequel.useDestinationForm(now, "org", { host }));
    for (const field of form.flatMap((section) => section.fields)) {
      if (!given.has(field.name)) destination = { ...destination, [field.name]: filled(field) };
      given.add(field.name);
    }
  }
  return { destination, form, prepared: prequel.prepareDestinationWithForm(destination, form) };
}

const call = (hook) => hook(fetchToken, origin, host);
const vendors = await rendered(() => prequel.useDestinationVendors(host));
const result = { vendors: vendors.map((vendor) => vendor.key), created: {}, said: {} };

for (const vendor of result.vendors) {
  const { prepared } = await fill({ vendor, name: `by ${vendor}`, enabled_models: ["*"], frequency_minutes: 60 });
  result.created[vendor] = await call(prequel.useCreateDestination)(prepared);
}

const { prepared, form } = await fill({ vendor: "postgres", name: "mine", use_ssh_tunnel: false, host: "127.0.0.1", frequency_minutes: 0 });
result.tested = await call(prequel.useTestConnection)(prepared);
const existing = result.created.postgres.data.destination;
const shown = { ...prequel.getDefaultDestination(), ...prequel.prepareDestinationFromExisting(existing) };
const again = await rendered(() => prequel.useDestinationForm({ ...shown }, "org", { host }));
const changed = prequel.prepareDestinationWithForm({ ...shown, host: "moved.example", frequency_minutes: 15 }, again);
result.changes = prequel.computeChangedFields(existing, changed);
result.updated = await call(prequel.useUpdateDestination)(existing, changed);
result.tested_existing = await call(prequel.useTestExistingConnection)(existing, changed);
result.destinations = await call(prequel.useGetDestinations)();
const delivered = result.destinations.find((one) => one.name === "delivered");
result.pending = await call(prequel.useGetTransfers)(delivered, { count: 2, status: "PENDING" });
result.pages = [];
for (let page = { hasNext: true }; page.hasNext; result.pages.push(page.results)) {
  page = await call(prequel.useListTransfers)(delivered, { pageSize: 2, cursor: page.cursor });
}
result.models = await rendered(() => call(prequel.useModels));
result.products = await rendered(() => call(prequel.useProducts));
result.models_for_recipient = await call(prequel.useGetModelsForRecipient)();
result.deleted = await call(prequel.useDeleteDestination)(existing);
result.left = (await call(prequel.useGetDestinations)()).length;
result.sections = form.length;
console.log(JSON.stringify(result));
