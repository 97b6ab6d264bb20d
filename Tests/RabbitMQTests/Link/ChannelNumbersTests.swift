import TestSupport
import Testing

@testable import RabbitMQ

@Suite("channel numbers")
struct ChannelNumbersTests {
    @Test func `the lowest free number is the next`() {
        var numbers = ChannelNumbers(max: 5)
        #expect((0..<6).map { _ in numbers.take() } == [1, 2, 3, 4, 5, nil])
        numbers.release(4)
        numbers.release(2)
        #expect(numbers.take() == 2)
        #expect(numbers.take() == 4)
        #expect(numbers.take() == nil)
    }

    @Test func `what was never taken, and 0, can be given back without harm`() {
        var numbers = ChannelNumbers(max: 3)
        numbers.release(0)
        numbers.release(2)
        numbers.release(65535)
        #expect(numbers.take() == 1)
    }

    @Test func `a number that rests is given when no other is free, or sixteen others rest`() {
        var numbers = ChannelNumbers(max: 20)
        for number in 1...20 as ClosedRange<UInt16> { #expect(numbers.take() == number) }
        numbers.release(3, rests: true)
        numbers.release(2, rests: true)
        numbers.release(9)
        #expect((0..<4).map { _ in numbers.take() } == [9, 3, 2, nil])
        for number in 4...20 as ClosedRange<UInt16> { numbers.release(number, rests: true) }
        numbers.release(1)
        #expect((0..<4).map { _ in numbers.take() } == [1, 4, 5, 6])
    }

    @Test func `all that there are`() {
        var numbers = ChannelNumbers(max: .max)
        for number in 1...UInt16.max { #expect(numbers.take() == number) }
        #expect(numbers.take() == nil)
        numbers.release(.max)
        #expect(numbers.take() == .max)
    }

    @Test func `none before anything was agreed on`() {
        var numbers = ChannelNumbers(max: 0)
        #expect(numbers.take() == nil)
    }

    @Test func `at random, against a set`() {
        var random = SplitMix(seed: 3)
        var numbers = ChannelNumbers(max: 20)
        var used: Set<UInt16> = []
        for _ in 0..<5000 {
            if Bool.random(using: &random), let number = used.randomElement(using: &random) {
                numbers.release(number)
                used.remove(number)
            } else {
                let expected = (1...20 as ClosedRange<UInt16>).first { !used.contains($0) }
                let taken = numbers.take()
                #expect(taken == expected)
                if let taken { used.insert(taken) }
            }
        }
    }

    @Test func `a number that is preferred is given if it was never taken`() {
        var numbers = ChannelNumbers(max: 6)
        #expect(numbers.take(preferring: 3) == 3)
        #expect(numbers.take(preferring: 5) == 5)
        #expect(numbers.take(preferring: 5) == 1)
        // Beyond the agreed, and none.
        #expect(numbers.take(preferring: 7) == 2)
        #expect(numbers.take(preferring: 0) == 4)
        #expect(numbers.take(preferring: 6) == 6)
        #expect(numbers.take(preferring: 6) == nil)
        numbers.release(3)
        #expect(numbers.take(preferring: 3) == 3)
        var none = ChannelNumbers(max: 0)
        #expect(none.take(preferring: 1) == nil)
    }
}
