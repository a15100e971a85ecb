// Programs of other languages than Node, as anybody writes them, on one platform: each listens on $PORT.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SAMPLE_CERTIFICATE, SAMPLE_KEY } from '../../runtime/services/url-fetch/sample-certificate.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { isAlive, PlatformProcess, processesBelow, waitFor } from './platform-process.ts';

type Files = Readonly<Record<string, string>>;

const FLASK = `
import os, signal, ssl, sys, urllib.error, urllib.request
from flask import Flask, Response, request

app = Flask(__name__)
print("imported", os.getpid())

@app.get("/")
def hello():
    return f"hello from flask on {os.environ['GAE_SERVICE']}"

@app.post("/size")
def size():
    return str(len(request.get_data()))

@app.get("/stream")
def stream():
    return Response((f"{number}\\n" * 20000 for number in range(5)), mimetype="text/plain")

@app.get("/log")
def log():
    print("to stdout: ünïcode")
    print("to stderr", file=sys.stderr)
    return "logged"

@app.get("/fetch")
def fetch():
    context = ssl.create_default_context(cafile="authority.pem")
    context.check_hostname = False
    try:
        with urllib.request.urlopen(request.args["url"], timeout=10, **({"context": context} if request.args["url"].startswith("https") else {})) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return f"refused {error.code} {error.headers['X-Appengine-Fetch-Error']}"
    except OSError as error:
        return f"refused {error}"

@app.get("/read")
def read():
    try:
        with open(request.args["path"], "rb") as file:
            return file.read(100000)
    except OSError as error:
        return str(error.strerror)

@app.get("/write")
def write():
    try:
        with open("file", "w"):
            return "written"
    except OSError as error:
        return str(error.strerror)

@app.post("/exit")
def leave():
    print("leaving", flush=True)
    os._exit(7)
`;

const DJANGO = `
import django, os
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES={})
urlpatterns = [path("", lambda request: HttpResponse(f"hello from django {request.get_host()}")), path("size", lambda request: HttpResponse(len(request.body)))]
app = get_wsgi_application()
`;

const ASGI = `
import os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        print("lifespan started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan ended")
        await send({"type": "lifespan.shutdown.complete"})
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"hello from asgi {scope['path']} ".encode(), "more_body": True})
    await send({"type": "http.response.body", "body": str(size).encode()})
`;

const JAVA = `
import com.sun.net.httpserver.*;
import java.net.*;
import java.nio.charset.StandardCharsets;

public class Hello {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
    server.createContext("/", exchange -> {
      String text;
      try {
        String path = exchange.getRequestURI().getPath();
        if (path.equals("/size")) text = String.valueOf(exchange.getRequestBody().readAllBytes().length);
        else if (path.equals("/heap")) text = String.valueOf(Runtime.getRuntime().maxMemory() >> 20);
        else if (path.equals("/fetch")) text = new String(new URL(exchange.getRequestURI().getQuery()).openStream().readAllBytes());
        else text = "hello from java: grüß";
      } catch (Exception error) { text = error.toString(); }
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, bytes.length);
      exchange.getResponseBody().write(bytes);
      exchange.close();
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("java ends: grüß")));
    server.setExecutor(java.util.concurrent.Executors.newFixedThreadPool(8));
    server.start();
    System.err.println("java listens");
  }
}
`;

/** Without net/http, which takes half a minute to compile for the first time. */
const GO = `
package main

import ("bufio"; "fmt"; "net"; "os"; "strings")

func main() {
	listener, err := net.Listen("tcp", ":" + os.Getenv("PORT"))
	if err != nil { panic(err) }
	for {
		connection, err := listener.Accept()
		if err != nil { panic(err) }
		go func() {
			defer connection.Close()
			reader := bufio.NewReader(connection)
			first, _ := reader.ReadString('\\n')
			for line := first; line != "\\r\\n"; line, _ = reader.ReadString('\\n') {}
			fmt.Fprintf(connection, "HTTP/1.0 200 OK\\r\\n\\r\\nhello from go %s", strings.Fields(first)[1])
		}()
	}
}
`;

const SHELL = `#!/bin/sh
echo "a shell starts"
trap 'echo "a shell ends"; exit 0' TERM
echo "hello from a shell script" > /tmp/index.html
python3 -m http.server --directory /tmp "$PORT" &
wait
`;

const isThere = (program: string): string | undefined =>
  ['/usr/bin', '/usr/local/bin', '/usr/local/go/bin'].map((directory) => join(directory, program)).find((path) => existsSync(path));
const hasPackage = (name: string): boolean => existsSync(join('/usr/lib/python3/dist-packages', name));
const skips = {
  python: isThere('python3') === undefined ? 'apt-get install python3' : undefined,
  flask: hasPackage('flask') ? undefined : 'apt-get install python3-flask',
  django: hasPackage('django') ? undefined : 'apt-get install python3-django',
  uvicorn: hasPackage('uvicorn') ? undefined : 'apt-get install python3-uvicorn',
  gunicorn: hasPackage('gunicorn') && hasPackage('flask') ? undefined : 'apt-get install gunicorn python3-flask',
  pip:
    existsSync('/usr/lib/python3/dist-packages/pip') || existsSync('/usr/share/python-wheels') ? undefined : 'apt-get install python3-venv',
  java: isThere('javac') === undefined ? 'apt-get install openjdk-17-jdk-headless' : undefined,
  go: isThere('go') === undefined ? 'apt-get install golang-go' : undefined,
};
for (const [what, install] of Object.entries(skips))
  if (install !== undefined) console.warn(`SKIPPED: apps with ${what}. To run them: ${install}`);
const needs = (...which: (keyof typeof skips)[]) => {
  const missing = which.find((each) => skips[each] !== undefined);
  return missing === undefined ? test : test.skip;
};
const skipped = (...which: (keyof typeof skips)[]) => {
  const missing = which.find((each) => skips[each] !== undefined);
  return missing === undefined ? '' : ` (SKIPPED: ${skips[missing] ?? ''})`;
};

const closing = new CloseStack();
let directory: string;
let platform: PlatformProcess;
let http: number;
let https: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'languages-'));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  const listen = async (server: ReturnType<typeof createServer>): Promise<number> => {
    // All of the loopback: clients in Python leave 127.0.0.1 and localhost out of what goes by the proxy, and in Java 127.x.
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    closing.defer(() => void server.close());
    return (server.address() as AddressInfo).port;
  };
  http = await listen(
    createServer((request, response) => response.end(`plain ${request.url} ${String(request.headers['x-appengine-inbound-appid'])}`)),
  );
  https = await listen(
    createTlsServer({ cert: SAMPLE_CERTIFICATE, key: SAMPLE_KEY }, (request, response) => response.end(`secure ${request.url}`)),
  );
  platform = await PlatformProcess.start('--fetch-allow', '127.0.0.0/30');
  closing.defer(() => platform.remove());
});
afterAll(() => closing.close());

async function deploy(app: string, yaml: string, files: Files, programs: readonly string[] = []): Promise<void> {
  const home = join(directory, app);
  for (const [path, text] of Object.entries({ 'app.yaml': yaml, ...files })) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), text);
  }
  for (const path of programs) await chmod(join(home, path), 0o755);
  await platform.appengineJson('deploy', home, '--app', app, '--quiet');
}

/** Pinned, so that what is made of them is kept for the next deploy. */
async function installedVersions(...names: readonly string[]): Promise<string> {
  const program = `import importlib.metadata as m, sys; print("\\n".join(f"{n}=={m.version(n)}" for n in sys.argv[1:]))`;
  return (await promisify(execFile)(isThere('python3') ?? 'python3', ['-c', program, ...names])).stdout;
}

const get = async (app: string, path = '/') => (await platform.http(app, path)).text;
const post = async (app: string, path: string, bytes: number) => (await platform.http(app, path, { body: 'x'.repeat(bytes) })).text;
const logOf = async (app: string) => (await platform.appengine('logs', 'tail', '--app', app, '--no-follow', '--lines', '200')).stdout;
const fetchBy = (app: string, url: string) => get(app, `/fetch?url=${encodeURIComponent(url)}`);
const instancesOf = async (app: string) =>
  (
    await platform.appengineJson<{ readonly instances: readonly { readonly pid?: number; readonly id: string }[] }>(
      'instances',
      'list',
      '--app',
      app,
    )
  ).instances;

describe(`a Flask app${skipped('flask')}`, () => {
  const it = needs('flask');
  const files = { 'main.py': FLASK, 'authority.pem': SAMPLE_CERTIFICATE };

  it('is served without any file but its own', async () => {
    await deploy('flask', 'runtime: python3\n', files);
    expect(await get('flask')).toBe('hello from flask on default');
    expect(await post('flask', '/size', 1_000_000)).toBe('1000000');
    expect((await get('flask', '/stream')).length).toBe(200_000);
    expect((await platform.http('flask', '/none')).status).toBe(404);
    const all = await Promise.all(Array.from({ length: 50 }, () => get('flask')));
    expect(new Set(all)).toEqual(new Set(['hello from flask on default']));
  });

  it('logs what it prints, by the line', async () => {
    expect(await get('flask', '/log')).toBe('logged');
    await waitFor('both lines are in the log', async () => {
      const log = await logOf('flask');
      return log.includes('to stdout: ünïcode') && log.includes('to stderr');
    });
  });

  it('reaches the outside by urllib, http and https, where the broker lets it', async () => {
    expect(await fetchBy('flask', `http://127.0.0.2:${http}/a?b`)).toBe('plain /a?b flask');
    expect(await fetchBy('flask', `https://127.0.0.2:${https}/c`)).toBe('secure /c');
    expect(await fetchBy('flask', 'http://10.0.0.1/')).toBe('refused 403 FETCH_ADDRESS_REFUSED');
    expect(await fetchBy('flask', 'https://10.0.0.1/')).toContain('403 FETCH_ADDRESS_REFUSED');
    expect(await fetchBy('flask', `http://127.0.0.2:${platform.routerPort}/`)).toBe('refused 403 FETCH_ADDRESS_REFUSED');
    expect(await fetchBy('flask', `https://127.0.0.2:${platform.routerPort}/`)).toContain('403 FETCH_ADDRESS_REFUSED');
  });

  it('sees nothing of the machine, as any app', async () => {
    const read = (path: string) => get('flask', `/read?path=${encodeURIComponent(path)}`);
    for (const path of ['/etc/shadow', platform.dataDirectory, join(platform.dataDirectory, 'credentials', 'owner-token')])
      expect(await read(path)).toMatch(/No such file|Permission denied/);
    expect(await get('flask', '/write')).toBe('Read-only file system');
    expect(await read('/proc/1/environ')).not.toContain(platform.dataDirectory);
    const own = await read('/proc/self/environ');
    expect(own).toContain('GAE_SERVICE=default');
    expect(own).not.toContain(platform.dataDirectory);
  });

  it('is started anew when it has ended, and its exit is told', async () => {
    // Not a GET, which would be given to the next instance, and end that too.
    expect((await platform.http('flask', '/exit', { method: 'POST' })).status).toBe(500);
    expect(await get('flask')).toBe('hello from flask on default');
    await waitFor('the log says how it ended', async () => (await logOf('flask')).includes('exited with code 7'));
  });

  it('that cannot be imported is refused, with its own words', async () => {
    await writeFile(join(directory, 'flask', 'main.py'), 'import no_such_module\n');
    const result = await platform.appengine('deploy', join(directory, 'flask'), '--app', 'flask', '--quiet');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain("No module named 'no_such_module'");
    expect(await get('flask')).toBe('hello from flask on default');
  });
});

needs('gunicorn', 'pip')(`gunicorn serves an app that requires it, in an environment of its own${skipped('gunicorn', 'pip')}`, async () => {
  await deploy('gunicorn', 'runtime: python3\n', {
    'main.py': FLASK,
    'authority.pem': SAMPLE_CERTIFICATE,
    'requirements.txt': await installedVersions('gunicorn', 'flask'),
  });
  expect(await get('gunicorn')).toBe('hello from flask on default');
  expect(await post('gunicorn', '/size', 1_000_000)).toBe('1000000');
  expect(await fetchBy('gunicorn', `https://127.0.0.2:${https}/c`)).toBe('secure /c');
  await writeFile(join(directory, 'gunicorn', 'main.py'), 'import no_such_module\n');
  const result = await platform.appengine('deploy', join(directory, 'gunicorn'), '--app', 'gunicorn');
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain("No module named 'no_such_module'");
});

needs('django')(`a Django app is served${skipped('django')}`, async () => {
  await deploy('django', 'runtime: python3\n', { 'main.py': DJANGO });
  expect(await get('django')).toMatch(/^hello from django django\.localhost/);
});

needs('uvicorn')(`an ASGI app is told from a WSGI app, and lives through its lifespan${skipped('uvicorn')}`, async () => {
  await deploy('asgi', 'runtime: python3\n', { 'main.py': ASGI });
  expect(await get('asgi', '/a')).toBe('hello from asgi /a 0');
  expect(await post('asgi', '/b', 1_000_000)).toBe('hello from asgi /b 1000000');
  const [instance] = await instancesOf('asgi');
  const stopped = await platform.appengine('instances', 'stop', instance?.id ?? '', '--app', 'asgi');
  expect(stopped.stderr + String(stopped.code)).toMatch(/0$/);
  await waitFor('it was told to end, and did so in order', async () => {
    const log = await logOf('asgi');
    return log.includes('lifespan started') && log.includes('lifespan ended');
  });
  await waitFor('none is left', async () => (await instancesOf('asgi')).length === 0);
  expect(await get('asgi', '/again')).toBe('hello from asgi /again 0');
});

describe(`any program, behind the forwarder${skipped('python')}`, () => {
  const it = needs('python');

  it('http.server of Python as the entrypoint, also of a Node app', async () => {
    await deploy('plain', 'runtime: nodejs\nentrypoint: python3 -m http.server $PORT\n', { 'index.html': 'hello from http.server' });
    expect(await get('plain', '/index.html')).toBe('hello from http.server');
    // The forwarder is the instance's first process: with it, all of the instance ends.
    const parts = () =>
      processesBelow(platform.pid).filter(
        ({ commandLine }) => commandLine.includes('-m http.server $PORT') || commandLine.endsWith('-m http.server 8080'),
      );
    const before = parts();
    const forwarder = before.find(({ commandLine }) => commandLine.startsWith('/srv/platform/forwarder/forwarder'));
    expect(forwarder).toBeDefined();
    process.kill(forwarder?.pid ?? 0, 'SIGKILL');
    await waitFor('no process of it is left', () => before.every(({ pid }) => !isAlive(pid)));
    expect(await get('plain', '/index.html')).toBe('hello from http.server');
  });

  it('a shell script, which gets its signal and whose program ends with it', async () => {
    await deploy('shell', 'runtime: custom\nentrypoint: ./start.sh\n', { 'start.sh': SHELL }, ['start.sh']);
    expect(await get('shell', '/index.html')).toBe('hello from a shell script\n');
    await waitFor('its line is in the log', async () => (await logOf('shell')).includes('a shell starts'));
  });

  it('one that is no program is refused, with what the system says', async () => {
    await mkdir(join(directory, 'broken'));
    await writeFile(join(directory, 'broken', 'app.yaml'), 'runtime: custom\nentrypoint: ./missing\n');
    const result = await platform.appengine('deploy', join(directory, 'broken'), '--app', 'broken', '--quiet');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/\.\/missing: not found/);
  });
});

needs('java')(`a Java server in a jar${skipped('java')}`, async () => {
  const home = join(directory, 'java-source');
  await mkdir(home);
  await writeFile(join(home, 'Hello.java'), JAVA);
  await writeFile(join(home, 'manifest.txt'), 'Main-Class: Hello\n');
  await promisify(execFile)('javac', ['--release', '17', '-encoding', 'UTF-8', 'Hello.java'], { cwd: home });
  await mkdir(join(directory, 'java'));
  await promisify(execFile)('sh', ['-c', 'jar --create --file ../java/hello.jar --manifest manifest.txt *.class'], { cwd: home });
  await deploy('java', 'runtime: java17\n', {});
  expect(await get('java')).toBe('hello from java: grüß');
  expect(await post('java', '/size', 1_000_000)).toBe('1000000');
  expect(Number(await get('java', '/heap'))).toBeGreaterThan(200);
  expect(Number(await get('java', '/heap'))).toBeLessThan(240);
  expect(await get('java', `/fetch?http://target.localhost:${http}/j`)).toBe('plain /j java');
  await waitFor('its line is in the log', async () => (await logOf('java')).includes('java listens'));
  expect(await logOf('java')).not.toContain('Picked up');
});

needs('go')(`a Go program${skipped('go')}`, async () => {
  await mkdir(join(directory, 'go'));
  await writeFile(join(directory, 'go-source.go'), GO);
  await promisify(execFile)(isThere('go') ?? 'go', ['build', '-o', join(directory, 'go', 'server'), join(directory, 'go-source.go')], {
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' },
  });
  await deploy('go', 'runtime: custom\nentrypoint: ./server\n', {});
  expect(await get('go')).toBe('hello from go /');
});
