# Furnishes a fresh Request Tracker for the tests and prints the tokens as JSON.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT;
RT->LoadConfig;
RT->Init;
require JSON;

my $system = RT->SystemUser;

sub sure {
    my ( $what, $id, @told ) = @_;
    die "$what: @told\n" unless $id;
    return $id;
}

my $queue = RT::Queue->new($system);
sure( 'queue', $queue->Create( Name => 'Support', CorrespondAddress => 'rt@rt.test' ) );
my $network = RT::Queue->new($system);
sure( 'queue', $network->Create( Name => 'Network', CorrespondAddress => 'net@rt.test' ) );

my @fields = (
    [ 'Category', 'SelectSingle', qw(hardware software network security account service_request) ],
    [ 'Sentiment', 'SelectSingle', qw(negative neutral positive) ],
    [ 'Suggested assignee', 'FreeformSingle' ],
    [ 'Products', 'SelectMultiple', qw(laptop telephone printer server) ],
    [ 'Triage tags', 'FreeformMultiple' ],
);
for (@fields) {
    my ( $name, $type, @values ) = @$_;
    my $field = RT::CustomField->new($system);
    sure( $name, $field->Create(
        Name => $name, Type => $type, LookupType => 'RT::Queue-RT::Ticket', Queue => 0 ) );
    sure( $name, $field->AddValue( Name => $_ ) ) for @values;
}

my %user;
sub person {
    my ( $name, $real, $privileged ) = @_;
    my $user = RT::User->new($system);
    sure( $name, $user->Create(
        Name => $name, RealName => $real, EmailAddress => "$name\@rt.test",
        Privileged => $privileged ) );
    $user{$name} = $user;
}
person( 'triage', 'Triage', 1 );
person( 'ann', 'Ann Agent', 1 );
person( 'rita', 'Rita Requester', 0 );

sub allow {
    my ( $who, $object, @rights ) = @_;
    sure( $_, $who->GrantRight( Right => $_, Object => $object ) ) for @rights;
}
# What the how-to tells an administrator to give to triage, and no more.
allow( $user{triage}->PrincipalObj, $_,
    qw(SeeQueue ShowTicket ModifyTicket ModifyCustomField ShowOutgoingEmail) )
    for $queue, $network;
allow( $user{triage}->PrincipalObj, $RT::System, 'SeeCustomField' );

my $everyone = RT::Group->new($system);
$everyone->LoadSystemInternalGroup('Everyone');
allow( $everyone->PrincipalObj, $queue, qw(SeeQueue CreateTicket ReplyToTicket ShowTicket) );
allow( $user{ann}->PrincipalObj, $queue, qw(OwnTicket ModifyTicket) );
sure( 'AdminCc', $queue->AddWatcher( Type => 'AdminCc', PrincipalId => $user{ann}->PrincipalId ) );

$user{root} = RT::User->new($system);
$user{root}->Load('root');
my %told = ( queue => 'Support' );
for my $name (qw(root triage rita)) {
    my ( $id, $why, $token ) =
        RT::AuthToken->new($system)->Create( Owner => $user{$name}->Id, Description => 'test' );
    sure( 'token', $id, $why );
    $told{tokens}{$name} = $token;
}
print JSON::to_json( \%told ), "\n";
