import RabbitMQ

let n = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 30

try await Connection.withConnection { connection in
    try await connection.withRPCClient(routingKey: "rpc_queue") { client in
        print(" [x] Requesting fib(\(n))")
        do {
            let answer = try await client.call(n, as: Int.self)
            print(" [.] Got \(answer)")
        } catch let failure as RPCFailure {
            print(" [.] The server says: \(failure.message)")
        }
    }
}
