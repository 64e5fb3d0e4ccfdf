// One connection to the event stream: notices when it falls silent, resumes where it broke off.

const SILENT_MS = 6000; // the robot's heartbeat comes every second
const KINDS = ["robot", "queue", "job", "log", "reload"];

export class Connection {
  /** @param tell called with {kind, data}; kind "state" has data true (connected) or false. */
  constructor(tell) {
    this.tell = tell;
    this.lastId = "";
    this.open();
  }

  open() {
    this.source = new EventSource(this.lastId ? `/api/events?after=${this.lastId}` : "/api/events");
    this.heard();
    this.source.addEventListener("open", () => this.tell({ kind: "state", data: true }));
    this.source.addEventListener("error", () => {
      this.tell({ kind: "state", data: false });
      if (this.source.readyState === EventSource.CLOSED) this.again();
    });
    for (const kind of KINDS) {
      this.source.addEventListener(kind, (event) => {
        this.heard();
        if (event.lastEventId) this.lastId = event.lastEventId;
        this.tell({ kind, data: JSON.parse(event.data) });
      });
    }
  }

  heard() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.tell({ kind: "state", data: false });
      this.again();
    }, SILENT_MS);
  }

  again() {
    this.close();
    this.silence = setTimeout(() => this.open(), 1500);
  }

  close() {
    clearTimeout(this.silence);
    this.source.close();
  }
}
