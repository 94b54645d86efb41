# Tells triage what happens to tickets of Request Tracker 5. Load it once:
#
#   TRIAGE_HOOK_URL=https://triage.example/v1/webhooks/rt TRIAGE_HOOK_SECRET=... \
#       rt-setup-database --action insert --datafile triage_initialdata.pl
#
# The message only names the ticket; triage reads the rest over REST2 with its own account. It is signed with
# HMAC-SHA256 over "timestamp.body". RT waits two seconds for the answer at most and never sends a message twice:
# what is lost while triage is away, it finds by asking for changed tickets.
use strict;
use warnings;

my $url    = $ENV{TRIAGE_HOOK_URL}    or die "Set TRIAGE_HOOK_URL to the address of the channel.\n";
my $secret = $ENV{TRIAGE_HOOK_SECRET} or die "Set TRIAGE_HOOK_SECRET to the secret of the channel.\n";
for ( $url, $secret ) { die "No quotes or backslashes, please.\n" if /['\\]/ }

my $tell = <<"PERL";
require LWP::UserAgent; require JSON; require Digest::SHA;
my \$change = \$self->TransactionObj;
my \$body   = JSON->new->utf8->canonical->encode( {
    event          => \$change->Type,
    field          => \$change->Field,
    transaction_id => \$change->id + 0,
    ticket_id      => \$change->ObjectId + 0,    # TicketObj of a merged ticket is the one it went into
    creator        => \$change->CreatorObj->Name,
} );
my \$time   = time;
my \$answer = LWP::UserAgent->new( timeout => 2 )->post(
    '$url',
    'Content-Type'   => 'application/json',
    'X-RT-Timestamp' => \$time,
    'X-RT-Signature' => 'sha256=' . Digest::SHA::hmac_sha256_hex( "\$time.\$body", '$secret' ),
    Content          => \$body,
);
RT->Logger->warning( 'triage was not told: ' . \$answer->status_line ) unless \$answer->is_success;
return 1;
PERL

# One scrip for all that matters, as RT runs every scrip by itself.
our @Scrips = (
    {
        Description    => 'Tell triage',
        Queue          => 0,
        ScripCondition => 'User Defined',
        CustomIsApplicableCode => <<'PERL',
my $change = $self->TransactionObj;
return 1 if $change->Type =~ /^(?:Create|Correspond|Comment|Status|CustomField|AddLink)$/;
return 1 if $change->Type eq 'Set' && ( $change->Field || '' ) =~ /^(?:Queue|Owner|Priority|Subject)$/;
return 0;
PERL
        ScripAction       => 'User Defined',
        CustomPrepareCode => 'return 1;',
        CustomCommitCode  => $tell,
        Template          => 'Blank',
        Stage             => 'TransactionCreate',
    },
);
1;
