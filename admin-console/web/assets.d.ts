// What the bundler turns an import of a style sheet into: nothing that TypeScript could use.
declare module '*.css';
