import Foundation
import TestSupport
import Testing

/// A value of the library beside a simple one that says what it must do, driven by steps at random.
///
/// A step makes sense in any state, or does nothing: so that steps can be left out of a run that fails.
protocol CheckedModel {
    associatedtype Step: Sendable

    /// - Parameter random: For what differs from run to run, such as limits.
    init(_ random: inout SplitMix)

    static func step(_ random: inout SplitMix) -> Step

    /// - Returns: What is wrong after it, or nil.
    mutating func apply(_ step: Step) -> String?

    /// Ends everything.
    ///
    /// - Returns: What is wrong then, or nil.
    mutating func finish() -> String?
}

/// Runs of a model at random, a few thousand steps as part of the tests.
///
/// `RABBITMQ_MODEL_STEPS` sets how many steps all runs together have, `RABBITMQ_MODEL_SEED` which.
struct ModelCheck {
    let steps: Int
    let seed: UInt64

    /// Whether somebody asked for as many steps as he likes.
    static var isLong: Bool { number("RABBITMQ_MODEL_STEPS") != nil }

    init(steps: Int = 30_000) {
        self.steps = Self.number("RABBITMQ_MODEL_STEPS").map { Int(clamping: $0) } ?? steps
        seed = Self.number("RABBITMQ_MODEL_SEED") ?? 1
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    func run<Model: CheckedModel>(_ model: Model.Type) {
        if let failure = firstFailure(of: model) { Issue.record("\(failure.what)\n\(failure.steps)") }
    }

    /// - Returns: What is wrong, with the seed, and the fewest steps that show it; nil if nothing is.
    func firstFailure<Model: CheckedModel>(of model: Model.Type) -> (what: String, steps: [Model.Step])? {
        var (done, run) = (0, UInt64(0))
        while done < steps {
            var random = SplitMix(seed: seed &* 0x1_0000_0001 &+ run)
            let start = random
            _ = Model(&random)
            let steps = (0..<random.number(1...400)).map { _ in Model.step(&random) }
            if let wrong = Self.failure(of: model, start, steps) {
                let (fewest, wrong) = Self.shrunk(model, start, steps, wrong)
                return ("\(model), seed \(seed) run \(run), after \(fewest.count) steps: \(wrong)", fewest)
            }
            done += steps.count
            run += 1
        }
        if Self.isLong { print("\(model): \(done) steps in \(run) runs, seed \(seed): nothing wrong") }
        return nil
    }

    private static func failure<Model: CheckedModel>(
        of model: Model.Type,
        _ start: SplitMix,
        _ steps: [Model.Step]
    ) -> (wrong: String, count: Int)? {
        var random = start
        var model = Model(&random)
        for (index, step) in steps.enumerated() {
            if let wrong = model.apply(step) { return (wrong, index + 1) }
        }
        return model.finish().map { ($0, steps.count) }
    }

    /// The shortest beginning that fails, without the steps that it fails without.
    private static func shrunk<Model: CheckedModel>(
        _ model: Model.Type,
        _ start: SplitMix,
        _ steps: [Model.Step],
        _ failure: (wrong: String, count: Int)
    ) -> ([Model.Step], String) {
        var (fewest, wrong) = (Array(steps.prefix(failure.count)), failure.wrong)
        for index in fewest.indices.reversed() {
            var fewer = fewest
            fewer.remove(at: index)
            if let failure = Self.failure(of: model, start, fewer) { (fewest, wrong) = (fewer, failure.wrong) }
        }
        return (fewest, wrong)
    }
}
