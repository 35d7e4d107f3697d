"""Pages of React, Vue, Svelte and Lit that render again each second, each time with a new request that is equal."""

#: By the names of the documentation's.
RENDERING_PAGES = {
    "page.jsx": """import { useEffect, useState } from "react";
import "/generate/workqueue.js";

export function Page() {
  const [now, setNow] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setNow((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const request = { body: { name: "a", seconds: "6" } };
  return (
    <p>
      {now} seconds here
      <workqueue-progress src="/generate" request={request} onprogress={() => setNow((n) => n)} />
    </p>
  );
}
""",
    "page.vue.js": """import { onMounted, onUnmounted, ref } from "vue/dist/vue.esm-bundler.js";
import "/generate/workqueue.js";

export default {
  compilerOptions: { isCustomElement: (tag) => tag === "workqueue-progress" },
  setup() {
    const now = ref(0);
    let timer;
    onMounted(() => { timer = setInterval(() => now.value++, 1000); });
    onUnmounted(() => clearInterval(timer));
    return { now };
  },
  template: `<p>{{ now }} seconds here
    <workqueue-progress src="/generate" :request.prop="{ body: { name: 'a', seconds: '6' } }" :title="now" /></p>`,
};
""",
    "page.svelte": """<script>
  import "/generate/workqueue.js";
  let now = $state(0);
  const request = $derived(now >= 0 && { body: { name: "a", seconds: "6" } });
  $effect(() => {
    const timer = setInterval(() => now++, 1000);
    return () => clearInterval(timer);
  });
</script>

<p>{now} seconds here <workqueue-progress src="/generate" {request}></workqueue-progress></p>
""",
    "page.lit.js": """import { LitElement, html } from "lit";
import "/generate/workqueue.js";

class Page extends LitElement {
  static properties = { now: { state: true } };
  constructor() {
    super();
    this.now = 0;
  }
  connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.now++, 1000);
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }
  render() {
    const request = { body: { name: "a", seconds: "6" } };
    return html`<p>${this.now} seconds here
      <workqueue-progress src="/generate" .request=${request}></workqueue-progress></p>`;
  }
}
customElements.define("my-page", Page);
""",
}
