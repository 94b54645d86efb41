# A small desk: two queues more, a custom field, the bot's account, an agent's.
@Queues = (
    { Name => 'Hardware', Description => 'Laptops and printers' },
    { Name => 'Network',  Description => 'VPN and Wi-Fi', CorrespondAddress => 'network@desk.test' },
);
@Users = (
    { Name => 'triage', Password => 'bot-password', EmailAddress => 'bot@desk.test', RealName => 'triage', Privileged => 1 },
    { Name => 'bea', Password => 'bea-password', EmailAddress => 'bea@desk.test', RealName => 'Bea', Privileged => 1 },
);
@CustomFields = (
    {   Name       => 'Category',
        Type       => 'SelectSingle',
        LookupType => 'RT::Queue-RT::Ticket',
        Queue      => 0,
        Values     => [ map { { Name => $_ } } qw(access hardware network software) ],
    },
);
@ACL = (
    ( map { { GroupDomain => 'SystemInternal', GroupType => 'Everyone', Right => $_ } } qw(CreateTicket ReplyToTicket) ),
    (   map { { GroupDomain => 'SystemInternal', GroupType => 'Privileged', Right => $_ } }
            qw(SeeQueue ShowTicket ShowTicketComments CommentOnTicket ModifyTicket OwnTicket SeeCustomField ModifyCustomField)
    ),
);
1;
