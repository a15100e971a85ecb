import { type ReactElement, type ReactNode, useEffect, useRef, useState } from 'react';

interface ScrollerProps {
  readonly label: string;
  readonly className?: string;
  readonly children: ReactNode;
}

/** A part of the page that scrolls by itself. It takes the keyboard's focus only while there is something to scroll. */
export function Scroller({ label, className = '', children }: ScrollerProps): ReactElement {
  const element = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const box = element.current;
    if (box === null) return undefined;
    const measure = (): void => setScrolls(box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1);
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    if (box.firstElementChild !== null) observer.observe(box.firstElementChild);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={element} className={`scroller ${className}`} {...(scrolls ? { tabIndex: 0, role: 'group', 'aria-label': label } : {})}>
      {children}
    </div>
  );
}
