import Foundation
import RabbitMQ

/// What a worker answers, with Celery's result backend `rpc://`.
struct TaskResult: Decodable, Sendable {
    var status: String
    var result: Int?
}

let id = UUID().uuidString.lowercased()
let task = try Message(
    json: [[2, 2], [:], ["callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil]],
    headers: ["lang": "py", "task": "proj.tasks.add", "id": .string(id), "root_id": .string(id), "retries": 0]
)

try await Connection.withConnection { connection in
    try await connection.withRPCClient(routingKey: "celery") { celery in
        let answer = try await celery.call(task).decode(TaskResult.self)
        print(" [.] \(answer.status): \(answer.result ?? 0)")
    }
}
