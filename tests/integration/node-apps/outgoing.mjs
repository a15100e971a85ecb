// Each way that an app may ask the outside, chosen by the path; `url` says whom.
import axios from 'axios';
import got from 'got';
import { createServer, get as httpGet, request as httpRequest } from 'node:http';
import { get as httpsGet } from 'node:https';
import nodeFetch from 'node-fetch';
import { fetch as undiciFetch, request as undiciRequest } from 'undici';

const text = (call) =>
  new Promise((resolve, reject) => {
    call((response) => {
      let all = '';
      response.on('data', (chunk) => (all += chunk)).on('end', () => resolve(all));
    }).on('error', reject);
  });

const ways = {
  fetch: async (url) => (await fetch(url)).text(),
  post: async (url) => (await fetch(url, { method: 'POST', body: 'posted', headers: { 'x-own': 'mine' } })).text(),
  http: (url) => text((done) => httpGet(url, done)),
  request: (url) => text((done) => httpRequest(url, { method: 'PUT' }, done).end('put')),
  https: (url) => text((done) => httpsGet(url.replace('http:', 'https:'), done)),
  undiciFetch: async (url) => (await undiciFetch(url)).text(),
  undici: async (url) => (await undiciRequest(url)).body.text(),
  axios: async (url) => (await axios.get(url)).data,
  axiosFetch: async (url) => (await axios.get(url, { adapter: 'fetch' })).data,
  got: (url) => got(url, { retry: { limit: 0 } }).text(),
  nodeFetch: async (url) => (await nodeFetch(url)).text(),
  webSocket: (url) =>
    new Promise((resolve) => {
      if (globalThis.WebSocket === undefined) return resolve('no WebSocket here');
      const socket = new WebSocket(url.replace('http:', 'ws:'));
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('an error event');
    }),
};

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  try {
    response.end(await ways[pathname.slice(1)](searchParams.get('url')));
  } catch (error) {
    // Some wrap what they are told.
    const codes = [];
    for (let at = error; at !== undefined && at !== null; at = at.cause) codes.push(at.code);
    response.end(`refused ${codes.filter(Boolean).join(' ')}`);
  }
}).listen(process.env.PORT);
