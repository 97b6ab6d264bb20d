// swift-tools-version: 6.2
import PackageDescription

// A service with Vapor. It is a package of its own, so that nobody who uses the library clones it.
let package = Package(
    name: "WithVapor",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "rabbitmq-swift", path: "../.."),
        .package(url: "https://github.com/vapor/vapor", from: "4.115.0"),
    ],
    targets: [
        .executableTarget(
            name: "WithVapor",
            dependencies: [
                .product(name: "RabbitMQ", package: "rabbitmq-swift"),
                .product(name: "Vapor", package: "vapor"),
            ],
            path: "Sources"
        )
    ],
    swiftLanguageModes: [.v6]
)
