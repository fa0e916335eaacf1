import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import styles from "./Markdown.module.css";

const SAFE = /^https?:\/\//i;

// No HTML of the text's own comes through, and nothing is loaded: a picture is shown as the link that it is.
const components: Components = {
  a: ({ href, children }) =>
    href !== undefined && SAFE.test(href) ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  img: ({ src, alt }) => <span>{`[${alt || "picture"}: ${typeof src === "string" ? src : ""}]`}</span>,
  // It would be a control without a name; what is done is told by its sign.
  input: ({ checked }) => <span>{checked ? "☑" : "☐"}</span>,
};

/** Markdown as elements; HTML in it stays the text that it is. */
export default function Markdown({ text }: { text: string }) {
  return (
    <div className={styles.markdown}>
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        components={components}
        urlTransform={(url) => (SAFE.test(url) ? url : "")}
      >
        {text}
      </ReactMarkdown>
    </div>
  );
}
