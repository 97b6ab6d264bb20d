import RabbitMQ

func fibonacci(_ n: Int) throws -> Int {
    guard (0...40).contains(n) else { throw RPCFailure(.invalidRequest, "\(n) is not from 0 to 40") }
    return try n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)
}

try await Connection.withConnection { connection in
    let channel = try await connection.openChannel()
    let queue = try await channel.declareQueue("rpc_queue")
    let server = try await queue.serve { (n: Int) in
        print(" [.] fib(\(n))")
        return try fibonacci(n)
    }
    print(" [x] Awaiting RPC requests")
    if let reason = try await server.stopped { throw reason }
}
