// Command testlog reads what go test -json writes, for .ci/run.
//
//	go test -json ./... | testlog show       what a person wants to see of it
//	testlog skips ALLOWED LOG...             fails if a test ran in none of the logs
package main
