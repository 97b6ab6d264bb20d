// A program that has one connection with a channel, and nothing else: what the library takes of a service's memory and
// threads. `rmq perf idle` has all of the tool in its memory as well.

import RabbitMQ
import Status

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

Status.requireIdle()
guard let uri = Status.option("--uri") else { exit(3) }
try await Connection.withConnection(ConnectionConfiguration(uri: uri)) { connection in
    let channel = try await connection.openChannel()
    // What connecting has begun ends meanwhile: Dispatch keeps a thread for five seconds behind its last work. A task that
    // sleeps would need some of them to go on.
    _ = sleep(8)
    Status.report("connected")
    await channel.close()
}
