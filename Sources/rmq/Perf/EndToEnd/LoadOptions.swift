#if Tool
internal import ArgumentParser
internal import Foundation

/// What only end-to-end has.
struct LoadOptions: ParsableArguments {
    @Option(help: "Those who publish, spread over the connections, each with a channel.")
    var producers = 1

    @Option(
        help: ArgumentHelp(
            "Rates that change with time, as 0-1000:30s,1000:2m,1000-0:30s, after which it ends.",
            valueName: "rates"
        )
    )
    var ramp: Ramp?

    @Option(
        help: ArgumentHelp(
            "Sizes by their frequency in place of --size, as 100, 100-2k or 200:9,64k:1.",
            valueName: "sizes"
        )
    )
    var sizes: SizeMix?

    @Option(
        help: ArgumentHelp("Draw the run into a file, .svg or .html.", valueName: "file"),
        completion: .file()
    )
    var chart: String?

    func validate() throws {
        guard (1...100_000).contains(producers) else {
            throw ValidationError("--producers is \(producers); it must be from 1 to 100000.")
        }
        guard let chart else { return }
        guard chart.hasSuffix(".svg") || chart.hasSuffix(".html") else {
            throw ValidationError("--chart: the name ends with .svg or .html.")
        }
        // Not to be found out after an hour.
        guard (try? FileManager.default.contentsOfDirectory(atPath: chart)) == nil else {
            throw ValidationError("--chart: \(chart) is a folder.")
        }
        let folder = URL(filePath: chart).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ValidationError("--chart: nothing can be written in \(folder).")
        }
    }
}
#endif
