# Makes a scrip of the condition and the action that are given, as an administrator would by hand.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT;
RT->LoadConfig;
RT->Init;

my ( $condition, $action ) = @ARGV;
my $scrip = RT::Scrip->new( RT->SystemUser );
my ( $id, $why ) = $scrip->Create(
    Description            => 'Tell triaged',
    ScripCondition         => 'User Defined',
    CustomIsApplicableCode => $condition,
    ScripAction            => 'User Defined',
    CustomPrepareCode      => 'return 1;',
    CustomCommitCode       => $action,
    Template               => 'Blank',
    Stage                  => 'TransactionBatch',
    Queue                  => 0,
);
die "$why\n" unless $id;
print "$id\n";
