extension Topology {
    /// The exchanges, each after its alternate exchange where that is possible.
    func inOrderOfAlternates() -> [Exchange] {
        let byName = Dictionary(exchanges.map { ($0.name, $0) }) { first, _ in first }
        var ordered: [Exchange] = []
        var seen: Set<String> = []
        for exchange in exchanges {
            // Each names one at most, so that what comes before it is a chain.
            var chain: [Exchange] = []
            var next: Exchange? = exchange
            while let current = next, seen.insert(current.name).inserted {
                chain.append(current)
                next = current.arguments.alternateExchange.flatMap { byName[$0] }
            }
            ordered += chain.reversed()
        }
        return ordered
    }
}
