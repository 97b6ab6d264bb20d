// The peer on amqp091-go, as its documentation uses it: one goroutine per channel publishes, deliveries come from the
// channel that Consume returns, confirms from the one of NotifyPublish. See ../README.md for the calling convention.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	uri         = flag.String("uri", "amqp://guest:guest@localhost:5672", "")
	ca          = flag.String("ca", "", "")
	queue       = flag.String("queue", "bench", "")
	exchange    = flag.String("exchange", "", "")
	routingKey  = flag.String("routing-key", "", "")
	messages    = flag.Int("messages", 100000, "")
	size        = flag.Int("size", 100, "")
	channels    = flag.Int("channels", 1, "")
	connections = flag.Int("connections", 1, "")
	consumers   = flag.Int("consumers", 1, "")
	window      = flag.Int("window", 1000, "")
	prefetch    = flag.Int("prefetch", 1000, "")
	warmup      = flag.Int("warmup", 0, "")
	work        = flag.Int("work", 0, "")
	tasks       = flag.Int("tasks", 1, "")
	headers     = flag.Int("headers", 0, "")
	rate        = flag.Int("rate", 0, "")
	seconds     = flag.Float64("seconds", 0, "")
	asJSON      = flag.Bool("json", false, "")
	persistent  = flag.Bool("persistent", false, "")
	readHeaders = flag.Bool("read-headers", false, "")
	oneAtATime  = flag.Bool("one-at-a-time", false, "")
)

const unsupported = 3

func quit(status int, what string, arguments ...any) {
	fmt.Fprintf(os.Stderr, what+"\n", arguments...)
	os.Exit(status)
}

func check(err error, what string) {
	if err != nil {
		quit(1, "%s: %v", what, err)
	}
}

// The measured part.

type reading struct {
	time time.Time
	cpu  time.Duration
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u), "getrusage")
	return u
}

func readClocks() reading {
	u := usage()
	return reading{time.Now(), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

type latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

type result struct {
	Client      string   `json:"client"`
	Mode        string   `json:"mode"`
	Messages    int      `json:"messages"`
	Size        int      `json:"size"`
	Seconds     float64  `json:"seconds"`
	Rate        float64  `json:"rate"`
	CPUSeconds  float64  `json:"cpu_seconds"`
	CPUEach     float64  `json:"cpu_us_per_message"`
	PeakRSS     float64  `json:"peak_rss_mb"`
	RSS         float64  `json:"rss_mb"`
	BaseRSS     float64  `json:"base_rss_mb"`
	Threads     int      `json:"threads"`
	BaseThreads int      `json:"base_threads"`
	Latency     *latency `json:"latency_us,omitempty"`
}

// A number of those that the system tells of this process.
func status(name string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			number, _ := strconv.ParseFloat(words[1], 64)
			return number
		}
	}
	return 0
}

// Before it connects.
var baseMemory, baseThreads = status("VmRSS:"), status("Threads:")

// Whether the time for the measured part is over. With little to do between two looks, every 64th message is enough.
func isOver(start reading, done int) bool {
	if *seconds <= 0 || (done%64 != 0 && *work <= 100 && *size <= 65536 && *rate == 0) {
		return false
	}
	return time.Since(start.time).Seconds() >= *seconds
}

// What a program computes between two messages: always the same number of steps, so that what others do to the
// processor meanwhile does not count as its own work.

const (
	monotonic  = 1 // clocks of Linux
	threadTime = 3
)

func clock(id uintptr) int64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

var workSteps int

//go:noinline
func compute(steps int, value uint64) uint64 {
	for i := 0; i < steps; i++ {
		value = value*6364136223846793005 + 1442695040888963407
	}
	return value
}

// How many seconds of CPU time so many steps take.
func costOf(steps, times int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := clock(threadTime)
	for i := 0; i < times; i++ {
		compute(steps, uint64(i))
	}
	return 1e-9 * float64(clock(threadTime)-start)
}

// Finds how many steps take so many microseconds.
func prepareWork() {
	if *work <= 0 {
		return
	}
	costOf(2000000, 1)
	workSteps = int(2e6 * float64(*work) / (1e6 * costOf(2000000, 1)))
	if workSteps < 1 {
		workSteps = 1
	}
}

func doWork() {
	if workSteps > 0 {
		compute(workSteps, 1)
	}
}

// How much CPU time it takes, as measured now.
func workSeconds() float64 {
	if workSteps == 0 {
		return 0
	}
	count := 20000000/workSteps + 1
	return costOf(workSteps, count) / float64(count)
}

// Of `count` messages; `latencies`, one for each, may be nil.
func report(mode string, start reading, count int, latencies []time.Duration) {
	end := readClocks()
	var found *latency
	if len(latencies) > 0 {
		last := float64(len(latencies) - 1)
		sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
		at := func(p float64) float64 { return latencies[int(p*last)].Seconds() * 1e6 }
		found = &latency{at(0.5), at(0.99), at(0.999), at(1)}
	}
	printReport(mode, start, end, count, found)
}

func printReport(mode string, start, end reading, count int, found *latency) {
	if count < 1 {
		quit(1, "not one message in %v s", *seconds)
	}
	u, memory, threads := usage(), status("VmRSS:"), status("Threads:")
	n, took := float64(count), end.time.Sub(start.time).Seconds()
	cpu := (end.cpu - start.cpu).Seconds() - n*workSeconds()
	r := result{
		Client: "amqp091-go", Mode: mode, Messages: count, Size: *size, Seconds: took, Rate: n / took,
		CPUSeconds: cpu, CPUEach: 1e6 * cpu / n, PeakRSS: float64(u.Maxrss) / 1024, RSS: memory / 1024,
		BaseRSS: baseMemory / 1024, Threads: int(threads), BaseThreads: int(baseThreads), Latency: found,
	}
	if *asJSON {
		check(json.NewEncoder(os.Stdout).Encode(r), "JSON")
	} else {
		fmt.Printf("%s %s: %d x %d bytes, %.0f/s, %.3f us CPU each\n", r.Client, mode, r.Messages, r.Size, r.Rate, r.CPUEach)
	}
}

// Library calls.

func connect() *amqp.Connection {
	config := amqp.Config{Heartbeat: 60 * time.Second, Locale: "en_US"}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		check(err, "--ca")
		config.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		config.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	connection, err := amqp.DialConfig(*uri, config)
	check(err, "connect")
	return connection
}

func openChannel(connection *amqp.Connection) *amqp.Channel {
	channel, err := connection.Channel()
	check(err, "channel.open")
	return channel
}

func declare(channel *amqp.Channel) amqp.Queue {
	q, err := channel.QueueDeclare(*queue, false, true, false, false, nil)
	check(err, "queue.declare")
	return q
}

// Answered once the broker has taken everything sent before on the channel.
func drained(channel *amqp.Channel) {
	_, err := channel.QueueDeclarePassive(*queue, false, true, false, false, nil)
	check(err, "queue.declare")
}

func deleteQueue(channel *amqp.Channel) {
	_, err := channel.QueueDelete(*queue, false, false, false)
	check(err, "queue.delete")
}

func newMessage() amqp.Publishing {
	m := amqp.Publishing{
		ContentType:  "application/octet-stream",
		DeliveryMode: amqp.Transient,
		Timestamp:    time.Now(),
		Body:         bytes.Repeat([]byte("x"), *size),
	}
	if *persistent {
		m.DeliveryMode = amqp.Persistent
	}
	return m
}

// Headers of about --headers bytes, built anew for each message: texts of 32 bytes, and a number that is another in each.
func table(number int) amqp.Table {
	if *headers == 0 {
		return nil
	}
	t := amqp.Table{"x-number": int64(number)}
	for i := 0; i < *headers/46-1; i++ {
		t[fmt.Sprintf("x-head%d", i+10)] = "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
	}
	return t
}

func publish(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	check(channel.PublishWithContext(context.Background(), exchange, key, false, false, message), "basic.publish")
}

func main() {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		quit(64, "usage: %s MODE [options], see README.md", os.Args[0])
	}
	mode := os.Args[1]
	check(flag.CommandLine.Parse(os.Args[2:]), "options")
	if *routingKey == "" {
		*routingKey = *queue
	}
	prepareWork()
	if *oneAtATime && mode == "publish" {
		quit(unsupported, "nothing to wait for")
	}
	switch mode {
	case "publish", "publish-confirm":
		if *oneAtATime {
			runConfirm(mode)
		} else {
			runPublish(mode)
		}
	case "codable":
		runCodable(mode)
	case "delay":
		runDelay(mode)
	case "consume", "consume-ack", "handle":
		runConsume(mode)
	case "ping-pong":
		runPingPong(mode)
	case "confirm":
		runConfirm(mode)
	case "get":
		runGet(mode)
	case "declare":
		runDeclare(mode)
	case "rpc":
		runRPC(mode)
	case "connect":
		runConnect(mode)
	case "idle":
		runIdle(mode)
	default:
		quit(unsupported, "no mode %s here", mode)
	}
}
