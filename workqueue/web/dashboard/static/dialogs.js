// What is asked before a job is cancelled, and what a failed one wrote to stderr.

import { shortKey } from "./words.js";

const element = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=token]").content;

/** The text of a refusal: the server's own, or the status. */
async function reasonOf(response) {
  const problem = await response.json().catch(() => null);
  return problem?.detail ?? `The server answered ${response.status} ${response.statusText}.`;
}

async function post(key) {
  let response;
  try {
    response = await fetch("cancel", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Workqueue-Token": token },
      body: JSON.stringify({ key }),
      redirect: "error",
    });
  } catch {
    return { problem: "The server could not be reached; the job goes on." };
  }
  if (!response.ok) return { problem: await reasonOf(response) };
  return { wasThere: (await response.json()).was_there };
}

/** Ask, and cancel; `announce` is told what came of it. */
export function askToCancel(key, announce) {
  const dialog = element("cancel-dialog");
  const yes = element("cancel-yes");
  element("cancel-key").textContent = key;
  element("cancel-problem").textContent = "";
  yes.disabled = false;
  yes.onclick = async () => {
    yes.disabled = true;
    const { problem, wasThere } = await post(key);
    yes.disabled = false;
    if (problem) {
      element("cancel-problem").textContent = problem;
      return;
    }
    dialog.close();
    announce(wasThere ? `Job ${shortKey(key)} is being cancelled.` : `Job ${shortKey(key)} was not cancelled: it has ended, or another host has it.`);
  };
  dialog.showModal();
}

/** Show the end of what a program wrote to stderr. */
export async function showStderr({ key, ended_at }) {
  const dialog = element("stderr-dialog");
  const text = element("stderr-text");
  const problem = element("stderr-problem");
  element("stderr-key").textContent = shortKey(key);
  text.textContent = "Loading …";
  problem.textContent = "";
  dialog.showModal();
  try {
    const response = await fetch(`stderr?${new URLSearchParams({ key, ended_at })}`, { redirect: "error" });
    text.textContent = response.ok ? await response.text() : "";
    if (!response.ok) problem.textContent = await reasonOf(response);
  } catch {
    text.textContent = "";
    problem.textContent = "The server could not be reached.";
  }
  text.hidden = text.textContent === "";
  text.scrollTop = text.scrollHeight; // the end says why, most of the time
}

element("cancel-no").onclick = () => element("cancel-dialog").close();
element("stderr-close").onclick = () => element("stderr-dialog").close();
