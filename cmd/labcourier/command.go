package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// command builds the tree of subcommands; each has a file of its own.
func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "labcourier",
		Short:         "brings the results of laboratory analyzers to a FHIR server",
		Long:          "labcourier reads results from laboratory analyzers over serial lines and TCP, keeps each\nmessage on disk before it acknowledges it, and delivers it once to a FHIR server.\n\nExit codes: 0 done, 1 failed, 2 wrong use or a configuration with faults,\n3 validate-interface found a difference.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(
		p.runCommand(),
		p.demoCommand(),
		p.initCommand(),
		p.checkCommand(),
		p.doctorCommand(),
		p.statusCommand(),
		p.reloadCommand(),
		p.analyzersCommand(),
		p.messagesCommand(),
		p.validateCommand(),
		p.codesCommand(),
		p.alertsCommand(),
		p.simulateCommand(),
		p.decodeCommand(),
		p.anonymiseCommand(),
		p.captureCommand(),
		p.detectCommand(),
		p.tapCommand(),
		p.portsCommand(),
		p.profilesCommand(),
		p.secretCommand(),
		p.serviceCommand(),
		p.configCommand(),
		p.manCommand(),
		p.versionCommand(),
	)
	return root
}

// unknownCommand is cobra's own check with our exit code and its suggestions.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("no command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // of a subcommand it is 0: nothing is near
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, near[0])
	}
	return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
}

// noArgs refuses arguments with our exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument; see `%s --help`", cmd.Name(), cmd.CommandPath())}
	}
	return nil
}
