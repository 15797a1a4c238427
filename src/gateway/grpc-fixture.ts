import type { TestContext } from 'node:test'
import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'

/** For tests of gRPC: grpc-js on both sides, with messages that are bytes, so that nothing has to be generated. */

const bytes = (message: Buffer) => message
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/echo.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
})

const DEFINITION = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  expand: method('Expand', false, true),
  chat: method('Chat', true, true),
}

export type Handlers = {
  readonly unary: handleUnaryCall<Buffer, Buffer>
  readonly collect: handleClientStreamingCall<Buffer, Buffer>
  readonly expand: handleServerStreamingCall<Buffer, Buffer>
  readonly chat: handleBidiStreamingCall<Buffer, Buffer>
}

/** Answers with what it gets. */
export const ECHO: Handlers = {
  unary: (call, done) => {
    const trailers = call.metadata.clone()
    trailers.set('x-seen', String(call.metadata.get('x-asked')[0] ?? ''))
    call.sendMetadata(trailers)
    done(null, call.request, trailers)
  },
  collect: (call, done) => {
    const chunks: Buffer[] = []
    call.on('data', (chunk: Buffer) => chunks.push(chunk))
    call.on('end', () => done(null, Buffer.concat(chunks)))
  },
  expand: (call) => {
    for (const byte of call.request) call.write(Buffer.from([byte]))
    call.end()
  },
  chat: (call) => {
    call.on('data', (chunk: Buffer) => call.write(chunk))
    call.on('end', () => call.end())
  },
}

export type GrpcServer = { readonly server: Server; readonly port: number }

export async function startGrpcServer(
  context: TestContext,
  handlers: Partial<Handlers> = {},
  { port = 0, secure = ServerCredentials.createInsecure() }: { port?: number; secure?: ServerCredentials } = {},
): Promise<GrpcServer> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  server.addService(DEFINITION, { ...ECHO, ...handlers })
  return { server, port: await listen(context, server, { port, secure }) }
}

/** A server that is asked for its health, and says what it is told to. Answers by which names it was asked. */
export async function startHealthServer(
  context: TestContext,
  { secure = ServerCredentials.createInsecure() }: { secure?: ServerCredentials } = {},
) {
  const answer = { status: SERVING }
  const asked = new Set<string>()
  const server = new Server()
  const check = { ...method('Check', false, false), path: '/grpc.health.v1.Health/Check' }
  const handler: handleUnaryCall<Buffer, Buffer> = (call, done) => {
    const name = call.request.subarray(2).toString()
    asked.add(`${call.getHost()} ${name} ${String(call.metadata.get('x-check')[0] ?? '')}`)
    done(null, Buffer.from([0x08, answer.status]))
  }
  server.addService({ check }, { check: handler })
  return { server, answer, asked, port: await listen(context, server, { port: 0, secure }) }
}

const SERVING = 1

async function listen(
  context: TestContext,
  server: Server,
  { port, secure }: { readonly port: number; readonly secure: ServerCredentials },
): Promise<number> {
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, secure, (error, taken) => (error ? reject(error) : resolve(taken))),
  )
  context.after(() => server.forceShutdown())
  return bound
}

/** A client without retries of its own: what the gateway loses is to be seen. */
export class EchoClient extends Client {
  unary(message: Buffer, metadata: Metadata, options: { deadline?: number } = {}): Promise<UnaryOutcome> {
    return new Promise((resolve) => {
      const outcome: { error?: ServiceError | null; message?: Buffer | undefined; head?: Metadata } = {}
      const { path } = DEFINITION.unary
      const call = this.makeUnaryRequest(path, bytes, bytes, message, metadata, options, (error, answer) => {
        Object.assign(outcome, { error, message: answer })
      })
      call.on('metadata', (head: Metadata) => Object.assign(outcome, { head }))
      call.on('status', (status: StatusObject) => setImmediate(() => resolve({ ...outcome, status })))
    })
  }

  collect(done: (error: ServiceError | null, answer?: Buffer) => void) {
    return this.makeClientStreamRequest(DEFINITION.collect.path, bytes, bytes, done)
  }

  expand(message: Buffer): ClientReadableStream<Buffer> {
    return this.makeServerStreamRequest(DEFINITION.expand.path, bytes, bytes, message)
  }

  chat(metadata = new Metadata()) {
    return this.makeBidiStreamRequest(DEFINITION.chat.path, bytes, bytes, metadata)
  }
}

export type UnaryOutcome = {
  readonly status: StatusObject
  readonly message?: Buffer | undefined
  readonly head?: Metadata
}

export function grpcClient(
  context: TestContext,
  port: number,
  secure: ChannelCredentials = credentials.createInsecure(),
): EchoClient {
  const client = new EchoClient(`localhost:${port}`, secure, {
    'grpc.enable_retries': 0,
    'grpc.max_receive_message_length': -1,
    'grpc.ssl_target_name_override': 'localhost',
  })
  context.after(() => client.close())
  return client
}
