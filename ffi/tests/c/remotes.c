/* Remotes: their numbers, the order of what is told of them, and what flows through them. */
#include "side.h"

/* Every call on a remote that has ended answers CLOSED. */
static void check_stale(p2pchan_node *node, p2pchan_remote remote)
{
    p2pchan_message message = {P2PCHAN_BYTES, (const uint8_t *)"x", 1};
    p2pchan_info info;
    size_t len;
    info.struct_size = sizeof info;
    FAILS(CLOSED, "ended", p2pchan_remote_try_send(node, remote, 0, message.data, 1));
    FAILS(CLOSED, "ended", p2pchan_remote_send(node, remote, 0, message.data, 1, -1));
    FAILS(CLOSED, "ended", p2pchan_remote_try_send_batch(node, remote, &message, 1, &len));
    FAILS(CLOSED, "ended", p2pchan_remote_pause(node, remote));
    FAILS(CLOSED, "ended", p2pchan_remote_resume(node, remote));
    FAILS(CLOSED, "ended", p2pchan_remote_end(node, remote));
    FAILS(CLOSED, "ended", p2pchan_remote_refuse(node, remote));
    FAILS(CLOSED, "ended", p2pchan_remote_info(node, remote, &info));
    FAILS(CLOSED, "ended", p2pchan_remote_subject(node, remote, NULL, 0, &len));
    FAILS(CLOSED, "ended", p2pchan_remote_set_userdata(node, remote, &len));
    CHECK(!p2pchan_remote_userdata(node, remote));
}

static void a_stale_remote_answers_closed_for_ever_however_often_its_place_is_used_again(void)
{
    static side near, far;
    p2pchan_remote first = {0}, old = {0};
    int round, rounds = check_share(100), i;
    size_t count;
    side_prepare(&near);
    side_start(&near, "tcp://127.0.0.1:0", "thread");
    for (round = 0; round < rounds; round++) {
        side_prepare(&far);
        side_start(&far, NULL, "thread");
        side_connect(&far, &near);
        /* In the same place of the table. */
        CHECK(!round || ((near.remote.id ^ first.id) & 0xffffff) == 0);
        CHECK(near.remote.id != old.id && (!round || near.remote.id != first.id));
        check_stale(near.node, first);
        check_stale(near.node, old);
        old = near.remote;
        first = round ? first : old;
        side_free(&far);
        AWAIT(near.ended == near.opened);
        POLL(!p2pchan_node_remotes(near.node, NULL, 0, &count) && !count);
        check_stale(near.node, old);
    }
    /* One of another node, and made up ones. */
    side_prepare(&far);
    side_start(&far, NULL, "thread");
    side_connect(&far, &near);
    check_stale(near.node, far.remote);
    for (i = 0; i < 64; i++) {
        p2pchan_remote other = {near.remote.id ^ (uint64_t)1 << i};
        check_stale(near.node, other);
    }
    side_part(&near, &far);
}

/* What a sender marks, so that the receiver can check the order. */
struct marked {
    uint32_t sender, number;
};
#define SENDERS 4
static uint32_t heard[MOST_REMOTES][SENDERS];

static void check_marked(side *side, enum called called, p2pchan_remote remote,
                         const uint8_t *data, size_t len)
{
    struct marked marked;
    int i;
    if (called != DATA)
        return;
    CHECK(len >= sizeof marked);
    memcpy(&marked, data, sizeof marked);
    for (i = 0; side->known[i].id != remote.id; i++)
        CHECK(i < MOST_REMOTES - 1);
    CHECK(marked.sender < SENDERS && heard[i][marked.sender] == marked.number);
    heard[i][marked.sender]++;
}

struct sender {
    pthread_t thread;
    side *side;
    uint32_t number;
};

static void *send_marked(void *argument)
{
    struct sender *sender = argument;
    struct marked marked = {sender->number, 0};
    uint32_t count = (uint32_t)check_share(5000);
    for (; marked.number < count; marked.number++)
        OK(p2pchan_remote_send(sender->side->node, sender->side->remote, P2PCHAN_BYTES,
                               (uint8_t *)&marked, sizeof marked, -1));
    return NULL;
}

static void flood_from_several_threads(const char *mode)
{
    static side near, far[3];
    static struct sender senders[3][SENDERS];
    size_t count = (size_t)check_share(5000) * 3 * SENDERS;
    unsigned i, j;
    side_prepare(&near);
    near.hook = check_marked;
    side_start(&near, "tcp://127.0.0.1:0", mode);
    for (i = 0; i < 3; i++) {
        side_prepare(&far[i]);
        side_start(&far[i], NULL, mode);
        side_connect(&far[i], &near);
    }
    for (i = 0; i < 3; i++)
        for (j = 0; j < SENDERS; j++) {
            senders[i][j].side = &far[i];
            senders[i][j].number = j;
            pthread_create(&senders[i][j].thread, NULL, send_marked, &senders[i][j]);
        }
    for (i = 0; i < 3; i++)
        for (j = 0; j < SENDERS; j++)
            pthread_join(senders[i][j].thread, NULL);
    for (i = 0; i < 3; i++)
        OK(p2pchan_remote_end(far[i].node, far[i].remote));
    AWAIT(near.messages == count);
    for (i = 0; i < 3; i++)
        side_free(&far[i]);
    side_free(&near);
}

static void callbacks_come_one_at_a_time_and_in_order_from_several_remotes_and_threads(void)
{
    flood_from_several_threads("thread");
}

static void callbacks_come_one_at_a_time_and_in_order_when_the_program_dispatches(void)
{
    flood_from_several_threads("dispatch");
}

static void *dispatch_too(void *argument)
{
    p2pchan_result result;
    do
        result = p2pchan_node_dispatch(argument, 1000);
    while (result == P2PCHAN_OK);
    CHECK(result == P2PCHAN_ERR_CLOSED);
    return NULL;
}

static void callbacks_come_one_at_a_time_also_when_two_threads_dispatch(void)
{
    static side near, far, third;
    static struct sender senders[2];
    pthread_t other;
    int i;
    side_prepare(&near);
    near.hook = check_marked;
    side_prepare(&far);
    side_prepare(&third);
    side_pair_in(&near, &far, "dispatch");
    side_start(&third, NULL, "thread");
    side_connect(&third, &near);
    pthread_create(&other, NULL, dispatch_too, near.node);
    senders[0].side = &far;
    senders[1].side = &third;
    for (i = 0; i < 2; i++)
        pthread_create(&senders[i].thread, NULL, send_marked, &senders[i]);
    for (i = 0; i < 2; i++)
        pthread_join(senders[i].thread, NULL);
    AWAIT(near.messages == 2 * (size_t)check_share(5000));
    OK(p2pchan_node_stop(near.node));
    pthread_join(other, NULL);
    side_free(&third);
    side_part(&near, &far);
}

static void batches_bring_many_messages_with_one_call_in_order(void)
{
    static side near, far;
    enum { COUNT = 20000, BATCH = 500 };
    static struct marked marked[COUNT];
    static p2pchan_message messages[COUNT];
    size_t i, done = 0;
    for (i = 0; i < COUNT; i++) {
        marked[i].number = (uint32_t)i;
        messages[i].data = (uint8_t *)&marked[i];
        messages[i].len = sizeof marked[i];
    }
    side_prepare(&near);
    side_prepare(&far);
    near.callbacks.on_batch = side_on_batch;
    near.hook = check_marked;
    side_pair_in(&near, &far, "thread");
    while (done < COUNT) {
        size_t sent = 0, left = COUNT - done < BATCH ? COUNT - done : BATCH;
        int writable;
        p2pchan_result result;
        pthread_mutex_lock(&side_lock);
        writable = far.writable;
        pthread_mutex_unlock(&side_lock);
        result = p2pchan_remote_try_send_batch(far.node, far.remote, messages + done, left, &sent);
        CHECK(sent <= left && (result == P2PCHAN_OK) == (sent == left));
        done += sent;
        if (result) {
            CHECK(result == P2PCHAN_ERR_WOULD_BLOCK);
            AWAIT(far.writable > writable);
        }
    }
    AWAIT(near.messages == COUNT && near.batches);
    side_part(&near, &far);
    CHECK(near.batches < COUNT / 2);
}

/* Until there is no room; how many went. */
static size_t fill(side *side)
{
    static uint8_t data[4096];
    size_t sent = 0;
    p2pchan_result result;
    while ((result = side_send(side, data, sizeof data)) == P2PCHAN_OK)
        sent++;
    CHECK(result == P2PCHAN_ERR_WOULD_BLOCK && strstr(p2pchan_last_error(), "full"));
    return sent;
}

/* Until there is no room, and none comes by itself. */
static size_t fill_up(side *side)
{
    size_t sent = 0, more;
    do {
        int writable;
        pthread_mutex_lock(&side_lock);
        writable = side->writable;
        pthread_mutex_unlock(&side_lock);
        more = fill(side);
        sent += more;
        for (int i = 0; i < 200; i++) {
            pthread_mutex_lock(&side_lock);
            i += side->writable > writable ? 200 : 0;
            pthread_mutex_unlock(&side_lock);
            usleep(1000);
        }
    } while (more);
    return sent;
}

static void would_block_is_followed_by_on_writable_once_and_a_pause_loses_nothing(void)
{
    static side near, far;
    size_t sent;
    int writable;
    side_pair(&near, &far);
    OK(p2pchan_remote_pause(near.node, near.remote));
    sent = fill_up(&far);
    CHECK(near.messages <= 1 && sent > 256);
    writable = far.writable;
    CHECK(fill(&far) == 0 && fill(&far) == 0);
    OK(p2pchan_remote_resume(near.node, near.remote));
    AWAIT(near.messages == sent && far.writable > writable);
    CHECK(far.writable == writable + 1 && near.bytes == sent * 4096);
    OK(side_send(&far, "x", 1));
    AWAIT(near.messages == sent + 1);
    CHECK(far.writable == writable + 1);
    side_part(&near, &far);
}

static void *send_for_ever(void *argument)
{
    side *side = argument;
    OK(p2pchan_remote_send(side->node, side->remote, P2PCHAN_BYTES, (uint8_t *)"last", 4, -1));
    return NULL;
}

static void send_waits_for_room_as_long_as_it_is_told(void)
{
    static side near, far;
    static uint8_t data[4096];
    size_t sent;
    pthread_t thread;
    side_pair(&near, &far);
    OK(p2pchan_remote_pause(near.node, near.remote));
    sent = fill_up(&far);
    FAILS(TIMEOUT, "room", p2pchan_remote_send(far.node, far.remote, 0, data, sizeof data, 0));
    FAILS(TIMEOUT, "50 ms", p2pchan_remote_send(far.node, far.remote, 0, data, sizeof data, 50));
    pthread_create(&thread, NULL, send_for_ever, &far);
    OK(p2pchan_remote_resume(near.node, near.remote));
    pthread_join(thread, NULL);
    AWAIT(near.messages == sent + 1);
    CHECK(near.bytes == sent * 4096 + 4);
    side_part(&near, &far);
}

static void *send_until_closed(void *argument)
{
    static uint8_t data[4096];
    side *side = argument;
    FAILS(CLOSED, "", p2pchan_remote_send(side->node, side->remote, 0, data, sizeof data, -1));
    return NULL;
}

static void a_send_that_waits_is_let_go_when_the_remote_ends(void)
{
    static side near, far;
    pthread_t thread;
    side_pair(&near, &far);
    OK(p2pchan_remote_pause(near.node, near.remote));
    fill_up(&far);
    pthread_create(&thread, NULL, send_until_closed, &far);
    OK(p2pchan_remote_refuse(near.node, near.remote));
    pthread_join(thread, NULL);
    AWAIT(far.ended == 1);
    side_part(&near, &far);
}

static void a_paused_remote_tells_nothing_not_even_its_end(void)
{
    static side near, far;
    int i;
    side_pair(&near, &far);
    OK(p2pchan_remote_pause(near.node, near.remote));
    for (i = 0; i < 10; i++)
        OK(side_send(&far, "x", 1));
    side_free(&far);
    CHECK(near.messages == 0 && near.ended == 0);
    OK(p2pchan_remote_resume(near.node, near.remote));
    AWAIT(near.ended == 1);
    CHECK(near.messages == 10);
    side_free(&near);
}

static uint64_t digest;
static void add_up(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                   size_t len)
{
    (void)side, (void)remote;
    while (called == DATA && len--)
        digest = digest * 31 + *data++;
}

static void the_largest_message_arrives_and_a_larger_one_is_too_big(void)
{
    static side near, far;
    size_t len = 16 << 20, i;
    uint8_t *data = malloc(len + 1);
    uint64_t expected = 0;
    for (i = 0; i <= len; i++)
        data[i] = (uint8_t)(i * 7 >> 3);
    for (i = 0; i < len; i++)
        expected = expected * 31 + data[i];
    side_prepare(&near);
    side_prepare(&far);
    near.hook = add_up;
    side_pair_in(&near, &far, "thread");
    FAILS(TOO_BIG, "limits.message", side_send(&far, data, len + 1));
    OK(side_send(&far, data, len));
    free(data);
    AWAIT(near.bytes == len);
    CHECK(near.messages == 1);
    side_part(&near, &far);
    CHECK(digest == expected);
}

static void an_end_is_clean_when_both_have_ended_and_read_everything(void)
{
    static side near, far;
    side_pair(&near, &far);
    OK(p2pchan_remote_pause(near.node, near.remote));
    OK(side_send(&far, "last", 4));
    OK(p2pchan_remote_end(far.node, far.remote));
    CHECK(side_send(&far, "more", 4) == P2PCHAN_ERR_CLOSED);
    /* Who has not read all may still answer. */
    OK(side_send(&near, "answer", 6));
    AWAIT(far.messages == 1);
    usleep(200000);
    CHECK(far.ended == 0);
    OK(p2pchan_remote_resume(near.node, near.remote));
    AWAIT(near.ended && far.ended);
    CHECK(near.why == P2PCHAN_OK && far.why == P2PCHAN_OK && far.bytes == 6 && near.bytes == 4);
    side_part(&near, &far);
}

static void a_refused_remote_ends_at_once_on_both_sides(void)
{
    static side near, far;
    side_pair(&near, &far);
    OK(p2pchan_remote_refuse(near.node, near.remote));
    AWAIT(near.ended && far.ended);
    CHECK(near.why == P2PCHAN_ERR_REFUSED && far.why == P2PCHAN_ERR_REFUSED);
    side_part(&near, &far);
}

static int freed;
static void free_own(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                     size_t len)
{
    (void)data, (void)len;
    if (called == REMOTE)
        OK(p2pchan_remote_set_userdata(side->node, remote, malloc(16)));
    if (called != END)
        return;
    CHECK(p2pchan_remote_userdata(side->node, remote));
    free(p2pchan_remote_userdata(side->node, remote));
    __atomic_fetch_add(&freed, 1, __ATOMIC_SEQ_CST);
}

static void userdata_of_a_remote_is_there_from_on_remote_to_on_end(void)
{
    static side near, far;
    side_prepare(&near);
    side_prepare(&far);
    near.hook = far.hook = free_own;
    side_pair_in(&near, &far, "thread");
    side_part(&near, &far);
    CHECK(freed == 2);
}

static void what_is_known_of_a_remote_can_be_asked(void)
{
    static side near, far;
    p2pchan_info info;
    p2pchan_peer_id id;
    p2pchan_remote all[2];
    char subject[65];
    size_t count;
    side_pair(&near, &far);
    info.struct_size = sizeof info;
    OK(p2pchan_remote_info(near.node, near.remote, &info));
    OK(p2pchan_node_id(far.node, &id));
    CHECK(!memcmp(&id, &info.peer, sizeof id) && !strncmp(info.address, "tcp://127.0.0.1:", 16));
    CHECK(!strcmp(info.transport, "tcp") && !info.relayed && !info.reason && info.rtt >= -1);
    OK(p2pchan_remote_subject(near.node, near.remote, subject, sizeof subject, &count));
    CHECK(count == 64 && !strncmp(subject, "0700", 4));
    OK(p2pchan_node_remotes(near.node, all, 2, &count));
    CHECK(count == 1 && all[0].id == near.remote.id);
    side_part(&near, &far);
}

MAIN(BEHAVIOUR(a_stale_remote_answers_closed_for_ever_however_often_its_place_is_used_again),
     BEHAVIOUR(callbacks_come_one_at_a_time_and_in_order_from_several_remotes_and_threads),
     BEHAVIOUR(callbacks_come_one_at_a_time_and_in_order_when_the_program_dispatches),
     BEHAVIOUR(callbacks_come_one_at_a_time_also_when_two_threads_dispatch),
     BEHAVIOUR(batches_bring_many_messages_with_one_call_in_order),
     BEHAVIOUR(would_block_is_followed_by_on_writable_once_and_a_pause_loses_nothing),
     BEHAVIOUR(send_waits_for_room_as_long_as_it_is_told),
     BEHAVIOUR(a_send_that_waits_is_let_go_when_the_remote_ends),
     BEHAVIOUR(a_paused_remote_tells_nothing_not_even_its_end),
     BEHAVIOUR(the_largest_message_arrives_and_a_larger_one_is_too_big),
     BEHAVIOUR(an_end_is_clean_when_both_have_ended_and_read_everything),
     BEHAVIOUR(a_refused_remote_ends_at_once_on_both_sides),
     BEHAVIOUR(userdata_of_a_remote_is_there_from_on_remote_to_on_end),
     BEHAVIOUR(what_is_known_of_a_remote_can_be_asked))
