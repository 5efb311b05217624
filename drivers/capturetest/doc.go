// Package capturetest is what the drivers' tests over real captures share: where
// the captures are, the links on which they are played to a driver, the three kinds
// of splits, and reports in the short form in which the expected ones are written.
//
// What is expected of a capture stands in testdata/captures of its driver. It was
// made from the captures by a reader of its own, written from the standards and
// apart from the drivers, and looked over; the captures themselves are not part of
// the project.
package capturetest
