// The module first, so that React finds the element's properties when it renders one.
import "/generate/workqueue.js";
import { useState } from "react";
import { createRoot } from "react-dom/client";

function Report({ name, seconds }) {
  const [isDone, setDone] = useState(false);
  const address = "/report?" + new URLSearchParams({ name, seconds });
  return (
    <li>
      <h2>{name}</h2>
      <workqueue-progress
        src="/generate"
        label={`The report on ${name}`}
        request={{ body: { name, seconds } }}
        ondone={() => setDone(true)}
      />
      {isDone && <a href={address}>Read it</a>}
    </li>
  );
}

function Page() {
  const [reports, setReports] = useState([]);
  const order = (fields) => {
    const report = { name: fields.get("name"), seconds: fields.get("seconds") };
    setReports((others) => [...others.filter(({ name }) => name !== report.name), report]);
  };
  return (
    <>
      <h1>Reports</h1>
      <form action={order}>
        <label>On <input name="name" defaultValue="whales" required /></label>{" "}
        <label>in <input name="seconds" type="number" min="0" defaultValue="20" required /> seconds</label>{" "}
        <button>Order</button>
      </form>
      <ul>{reports.map((report) => <Report key={report.name} {...report} />)}</ul>
    </>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
