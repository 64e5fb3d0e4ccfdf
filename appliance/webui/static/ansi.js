// What would a terminal show? Output as lines of coloured pieces: colours and weight are kept, carriage returns start a
// line over, every other escape sequence is dropped. Nothing here touches the page; texts stay texts.

const SEQUENCE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-Z\\^-~])|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,2000}\x1b?|[PX^_][^\x1b]{0,2000}\x1b?|[ -/]*)?$/;

export class Ansi {
  constructor() {
    this.pending = "";
    this.style = { bold: false, dim: false, italic: false, underline: false, colour: -1 };
    this.line = []; // pieces [className, text] of the line that isn't finished yet
    this.restart = false;
  }

  /** Read more output; returns the lines that it finished. */
  feed(text) {
    text = this.pending + text.replaceAll("\r\n", "\n");
    const unfinished = UNFINISHED.exec(text);
    this.pending = unfinished ? unfinished[0] : "";
    if (text.endsWith("\r")) this.pending = "\r"; // perhaps a line feed follows
    text = text.slice(0, text.length - this.pending.length);
    const lines = [];
    let from = 0;
    for (const match of text.matchAll(SEQUENCE)) {
      this.plain(text.slice(from, match.index), lines);
      if (match[2] === "m") this.sgr(match[1]);
      from = match.index + match[0].length;
    }
    this.plain(text.slice(from), lines);
    return lines;
  }

  plain(text, lines) {
    for (const part of text.split(/([\n\r])/)) {
      if (part === "\n") {
        lines.push(this.line);
        this.line = [];
        this.restart = false;
      } else if (part === "\r") {
        this.restart = true;
      } else if (part) {
        if (this.restart) this.line = [];
        this.restart = false;
        this.line.push([this.className(), part.replaceAll("\x1b", "")]);
      }
    }
  }

  sgr(parameters) {
    const codes = parameters.split(/[;:]/).map(Number);
    for (let index = 0; index < codes.length; index++) {
      const code = codes[index];
      if (code === 0) this.style = { bold: false, dim: false, italic: false, underline: false, colour: -1 };
      else if (code === 1) this.style.bold = true;
      else if (code === 2) this.style.dim = true;
      else if (code === 3) this.style.italic = true;
      else if (code === 4) this.style.underline = true;
      else if (code === 22) this.style.bold = this.style.dim = false;
      else if (code === 23) this.style.italic = false;
      else if (code === 24) this.style.underline = false;
      else if (code >= 30 && code <= 37) this.style.colour = code - 30;
      else if (code >= 90 && code <= 97) this.style.colour = code - 90;
      else if (code === 39) this.style.colour = -1;
      else if (code === 38 || code === 48) index += codes[index + 1] === 2 ? 4 : 2; // other palettes: left out
    }
  }

  className() {
    const { bold, dim, italic, underline, colour } = this.style;
    const names = [bold && "a1", dim && "a2", italic && "a3", underline && "a4", colour >= 0 && `f${colour}`];
    return names.filter(Boolean).join(" ");
  }
}
