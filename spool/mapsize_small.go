//go:build windows || !(amd64 || arm64 || ppc64le || riscv64 || s390x || loong64)

package spool

// initialMap is left to bbolt: Windows makes the file as long as its mapping,
// and 32 bits have no addresses to spare.
const initialMap = 0
