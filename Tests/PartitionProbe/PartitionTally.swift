/// What was published and handled, by key, partition and worker. A value.
struct PartitionTally: Sendable {
    /// How many messages of each key were confirmed; their numbers count from 0.
    var confirmed: [Int]
    /// How many different messages of each partition were handled.
    private(set) var partitions: [Int]
    /// How many different messages each worker handled.
    private(set) var workers: [Int]
    /// How many came once more.
    private(set) var again = 0
    /// How many came when one before them of the same key had not come yet.
    private(set) var early = 0

    private var numbers: [Set<Int>]
    private var places: [Set<Int>]

    init(keys: Int, partitions: Int, workers: Int) {
        confirmed = Array(repeating: 0, count: keys)
        self.partitions = Array(repeating: 0, count: partitions)
        self.workers = Array(repeating: 0, count: workers)
        numbers = Array(repeating: [], count: keys)
        places = Array(repeating: [], count: keys)
    }

    /// How many different messages were handled.
    var handled: Int { partitions.reduce(0, +) }

    /// How many of those that were confirmed nobody has handled.
    var missing: Int {
        zip(confirmed, numbers).reduce(0) { sum, key in sum + Set(0..<key.0).subtracting(key.1).count }
    }

    /// How many keys were in more than one partition.
    var strays: Int { places.count(where: { $0.count > 1 }) }

    mutating func handle(_ key: Int, _ number: Int, partition: Int, worker: Int) {
        places[key].insert(partition)
        guard numbers[key].insert(number).inserted else {
            again += 1
            return
        }
        if number != numbers[key].count - 1 { early += 1 }
        partitions[partition] += 1
        workers[worker] += 1
    }
}
