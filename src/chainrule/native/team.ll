; The same table run by a team: the thread that calls, the leader, goes through the rows; of each that is shared it
; publishes the chunks, and whoever has time claims one after the other. See team.py.

; Where threads wait until a word is no longer zero: how many lie there, mutex, condition.
%Bed = type { i64, [7 x i64], [128 x i8], [128 x i8] }
; Groups that different threads write lie on cache lines of their own.
%Team = type {
  i64, i64, i64, i64, [4 x i64],      ; 0 size, 1 process, 2 patience: when to lie down (ns), 3 clock
  ptr, ptr, [6 x i64],                ; 5 contexts of thread 0, 1, ..., 6 workers
  i64, [7 x i64],                     ; 8 busy: who has the team: 0 nobody, 1 a call, 2 a fork
  ptr, i64, [6 x i64],                ; 10 row, 11 into how many chunks it is cut
  i64, [7 x i64],                     ; 13 open: how many of them nobody has claimed; -1 sends the workers home
  i64, [7 x i64],                     ; 15 unfinished: how many of them are not done
  i64, [7 x i64],                     ; 17 complete: 1 once all are done
  %Bed, %Bed                          ; 19 of the workers, 20 of the leader
}
;                team thread what pthread_create called it
%Worker = type { ptr, i64, ptr }

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(ptr, ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @getpid()
declare i32 @sched_yield()
declare i32 @clock_gettime(i32, ptr)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)

define void @team_init(ptr %team) {
  %workers = getelementptr %Team, ptr %team, i64 0, i32 19
  call void @make_bed(ptr %workers)
  %leader = getelementptr %Team, ptr %team, i64 0, i32 20
  call void @make_bed(ptr %leader)
  ret void
}

define internal void @make_bed(ptr %bed) {
  %mutex = getelementptr %Bed, ptr %bed, i64 0, i32 2
  %condition = getelementptr %Bed, ptr %bed, i64 0, i32 3
  %a = call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  %b = call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}

; 1 if the team is now the caller's, 0 if somebody else has it.
define internal i64 @take(ptr %team, i64 %who) {
  %busy = getelementptr %Team, ptr %team, i64 0, i32 8
  %was = cmpxchg ptr %busy, i64 0, i64 %who seq_cst seq_cst
  %free = extractvalue { i64, i1 } %was, 1
  %taken = zext i1 %free to i64
  ret i64 %taken
}

; Does nothing if the team is not the caller's.
define void @team_release(ptr %team, i64 %who) {
  %busy = getelementptr %Team, ptr %team, i64 0, i32 8
  %was = cmpxchg ptr %busy, i64 %who, i64 0 seq_cst seq_cst
  ret void
}

; Wait until a word is not zero: look a while, then sleep. Returns the word. Meanwhile the core is offered to others now
; and then: the thread that is waited for may be on the same one.
define internal i64 @wait(ptr %team, ptr %word, ptr %bed) {
start:
  %patience.at = getelementptr %Team, ptr %team, i64 0, i32 2
  %patience = load i64, ptr %patience.at
  br label %look
look:
  %looks = phi i64 [ 1, %start ], [ %looks.more, %again ], [ %looks.more, %offer ]
  %since = phi i64 [ 0, %start ], [ %since, %again ], [ %began, %offer ]
  %seen = load atomic i64, ptr %word acquire, align 8
  %nothing = icmp eq i64 %seen, 0
  br i1 %nothing, label %again, label %end
again:
  call void @pause()
  %looks.more = add i64 %looks, 1
  %phase = and i64 %looks, 63
  %long.enough = icmp eq i64 %phase, 0
  br i1 %long.enough, label %offer, label %look
offer:
  %offered = call i32 @sched_yield()
  %time = call i64 @time(ptr %team)
  %first = icmp eq i64 %since, 0
  %began = select i1 %first, i64 %time, i64 %since
  %waited = sub i64 %time, %began
  %tired = icmp ugt i64 %waited, %patience
  br i1 %tired, label %lie.down, label %look
lie.down:
  ; First counted, then a look at the word; who stores it stores it first, then looks at the count. Both in sequentially
  ; consistent order, so one of the two sees the other, and no call to wake is lost. Who wakes sets the count to zero.
  %count = getelementptr %Bed, ptr %bed, i64 0, i32 0
  %mutex = getelementptr %Bed, ptr %bed, i64 0, i32 2
  %condition = getelementptr %Bed, ptr %bed, i64 0, i32 3
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  br label %in.bed
in.bed:
  %others = atomicrmw add ptr %count, i64 1 seq_cst
  %now = load atomic i64, ptr %word seq_cst, align 8
  %still.nothing = icmp eq i64 %now, 0
  br i1 %still.nothing, label %sleep, label %get.up
sleep:
  %woken = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %in.bed
get.up:
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  %found = phi i64 [ %seen, %look ], [ %now, %get.up ]
  ret i64 %found
}

; Nanoseconds that this thread has run.
define internal i64 @time(ptr %team) {
  %clock.at = getelementptr %Team, ptr %team, i64 0, i32 3
  %clock = load i64, ptr %clock.at
  %clock.number = trunc i64 %clock to i32
  %timespec = alloca { i64, i64 }
  %failed = call i32 @clock_gettime(i32 %clock.number, ptr %timespec)
  %seconds = load i64, ptr %timespec
  %rest.at = getelementptr { i64, i64 }, ptr %timespec, i64 0, i32 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %time = add i64 %whole, %rest
  ret i64 %time
}

; Give a word a value other than zero, and wake who sleeps until then.
define internal void @tell(ptr %word, i64 %value, ptr %bed) {
start:
  store atomic i64 %value, ptr %word seq_cst, align 8
  %count = getelementptr %Bed, ptr %bed, i64 0, i32 0
  %sleepers = load atomic i64, ptr %count seq_cst, align 8
  %awake = icmp eq i64 %sleepers, 0
  br i1 %awake, label %end, label %wake
wake:
  %mutex = getelementptr %Bed, ptr %bed, i64 0, i32 2
  %condition = getelementptr %Bed, ptr %bed, i64 0, i32 3
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 0, ptr %count seq_cst, align 8
  %told = call i32 @pthread_cond_broadcast(ptr %condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; Claim a chunk of the row that is published, if one is open, and run it. Whether there was one.
;
; To claim is to count `open` down. Only then are the row and its number of chunks read, which stay as they are until
; this chunk is done. So it does not matter whether the count that was seen before was that of another row.
define internal i1 @help(ptr %team, ptr %context) {
start:
  %open = getelementptr %Team, ptr %team, i64 0, i32 13
  %first.seen = load atomic i64, ptr %open monotonic, align 8
  br label %look
look:
  %seen = phi i64 [ %first.seen, %start ], [ %found, %claim ]
  %some = icmp sgt i64 %seen, 0
  br i1 %some, label %claim, label %none
none:
  ret i1 false
claim:
  %less = sub i64 %seen, 1
  %was = cmpxchg ptr %open, i64 %seen, i64 %less acq_rel monotonic
  %found = extractvalue { i64, i1 } %was, 0
  %mine = extractvalue { i64, i1 } %was, 1
  br i1 %mine, label %run, label %look
run:
  %row.at = getelementptr %Team, ptr %team, i64 0, i32 10
  %row = load ptr, ptr %row.at
  %chunks.at = getelementptr %Team, ptr %team, i64 0, i32 11
  %chunks = load i64, ptr %chunks.at
  %c = sub i64 %chunks, %seen
  call void @run_chunk(ptr %row, i64 %c, i64 %chunks, ptr %context)
  %unfinished = getelementptr %Team, ptr %team, i64 0, i32 15
  %left = atomicrmw sub ptr %unfinished, i64 1 acq_rel
  %last = icmp eq i64 %left, 1
  br i1 %last, label %complete, label %done
complete:
  %complete.at = getelementptr %Team, ptr %team, i64 0, i32 17
  %bed = getelementptr %Team, ptr %team, i64 0, i32 20
  call void @tell(ptr %complete.at, i64 1, ptr %bed)
  br label %done
done:
  ret i1 true
}

; The units of grain along the axis that a row is divided along: how many there are.
define internal i64 @units(ptr %row) {
  %split.at = getelementptr %Row, ptr %row, i64 0, i32 6
  %split = load i64, ptr %split.at
  %along.i = icmp eq i64 %split, 1
  %low.index = select i1 %along.i, i32 2, i32 4
  %high.index = add i32 %low.index, 1
  %low.at = getelementptr i64, ptr %row, i32 %low.index
  %low = load i64, ptr %low.at
  %high.at = getelementptr i64, ptr %row, i32 %high.index
  %high = load i64, ptr %high.at
  %grain = call i64 @grain(ptr %row)
  %extent = sub i64 %high, %low
  %rounded = add i64 %extent, %grain
  %rounded.up = sub i64 %rounded, 1
  %units = udiv i64 %rounded.up, %grain
  ret i64 %units
}

define internal i64 @grain(ptr %row) {
  %grain.at = getelementptr %Row, ptr %row, i64 0, i32 7
  %given = load i64, ptr %grain.at
  %grain = call i64 @llvm.umax.i64(i64 %given, i64 1)
  ret i64 %grain
}

; Into how many chunks a row is cut for so many threads: two each, or one each if the row limits the threads, but not
; more than there are units of grain; 1 if it is not to be divided.
define internal i64 @chunks(ptr %row, i64 %size) {
start:
  %split.at = getelementptr %Row, ptr %row, i64 0, i32 6
  %split = load i64, ptr %split.at
  %whole = icmp eq i64 %split, 0
  br i1 %whole, label %one, label %divide
one:
  ret i64 1
divide:
  %most.at = getelementptr %Row, ptr %row, i64 0, i32 9
  %most = load i64, ptr %most.at
  %unlimited = icmp eq i64 %most, 0
  %twice = mul i64 %size, 2
  %one.each = call i64 @llvm.umin.i64(i64 %most, i64 %size)
  %wanted = select i1 %unlimited, i64 %twice, i64 %one.each
  %units = call i64 @units(ptr %row)
  %chunks = call i64 @llvm.umin.i64(i64 %wanted, i64 %units)
  ret i64 %chunks
}

; A chunk of a row: of n units of grain, those from n c / C to n (c + 1) / C, both rounded up.
define internal void @run_chunk(ptr %row, i64 %c, i64 %chunks, ptr %context) {
start:
  %split.at = getelementptr %Row, ptr %row, i64 0, i32 6
  %split = load i64, ptr %split.at
  %along.i = icmp eq i64 %split, 1
  %i0.at = getelementptr %Row, ptr %row, i64 0, i32 2
  %i0 = load i64, ptr %i0.at
  %i1.at = getelementptr %Row, ptr %row, i64 0, i32 3
  %i1 = load i64, ptr %i1.at
  %j0.at = getelementptr %Row, ptr %row, i64 0, i32 4
  %j0 = load i64, ptr %j0.at
  %j1.at = getelementptr %Row, ptr %row, i64 0, i32 5
  %j1 = load i64, ptr %j1.at
  %low = select i1 %along.i, i64 %i0, i64 %j0
  %high = select i1 %along.i, i64 %i1, i64 %j1
  %units = call i64 @units(ptr %row)
  %grain = call i64 @grain(ptr %row)
  %chunks.less = sub i64 %chunks, 1
  %from.exact = mul i64 %units, %c
  %from.scaled = add i64 %from.exact, %chunks.less
  %from.unit = udiv i64 %from.scaled, %chunks
  %to.scaled = add i64 %from.scaled, %units
  %to.unit = udiv i64 %to.scaled, %chunks
  %from.offset = mul i64 %from.unit, %grain
  %to.offset = mul i64 %to.unit, %grain
  %from = add i64 %low, %from.offset
  %to.whole = add i64 %low, %to.offset
  %to = call i64 @llvm.umin.i64(i64 %to.whole, i64 %high)
  %a0 = select i1 %along.i, i64 %from, i64 %i0
  %a1 = select i1 %along.i, i64 %to, i64 %i1
  %b0 = select i1 %along.i, i64 %j0, i64 %from
  %b1 = select i1 %along.i, i64 %j1, i64 %to
  call void @run_rectangle(ptr %row, i64 %a0, i64 %a1, i64 %b0, i64 %b1, ptr %context)
  ret void
}

; Share a row: publish its chunks, claim them too, and go on when all are done. Nobody is waited for who has no chunk.
define internal void @share(ptr %team, ptr %row, i64 %chunks, ptr %context) {
start:
  %row.at = getelementptr %Team, ptr %team, i64 0, i32 10
  store ptr %row, ptr %row.at
  %chunks.at = getelementptr %Team, ptr %team, i64 0, i32 11
  store i64 %chunks, ptr %chunks.at
  %unfinished = getelementptr %Team, ptr %team, i64 0, i32 15
  store atomic i64 %chunks, ptr %unfinished monotonic, align 8
  %complete = getelementptr %Team, ptr %team, i64 0, i32 17
  store atomic i64 0, ptr %complete monotonic, align 8
  %open = getelementptr %Team, ptr %team, i64 0, i32 13
  %workers.bed = getelementptr %Team, ptr %team, i64 0, i32 19
  call void @tell(ptr %open, i64 %chunks, ptr %workers.bed)
  br label %work
work:
  %more = call i1 @help(ptr %team, ptr %context)
  br i1 %more, label %work, label %wait
wait:
  %leaders.bed = getelementptr %Team, ptr %team, i64 0, i32 20
  %done = call i64 @wait(ptr %team, ptr %complete, ptr %leaders.bed)
  ret void
}

; The smallest error code of all threads that have one, 0 if none has. No chunk may be open or running.
define internal i64 @collect(ptr %team) {
start:
  %size = load i64, ptr %team
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 5
  %contexts = load ptr, ptr %contexts.at
  br label %look
look:
  %t = phi i64 [ 0, %start ], [ %next, %look ]
  %least = phi i64 [ -1, %start ], [ %lesser, %look ] ; as an unsigned number: none
  %context.at = getelementptr ptr, ptr %contexts, i64 %t
  %context = load ptr, ptr %context.at
  %code = load i64, ptr %context
  %below = sub i64 %code, 1 ; turns 0, which is no error, into the largest unsigned number
  %lesser = call i64 @llvm.umin.i64(i64 %least, i64 %below)
  %next = add i64 %t, 1
  %more = icmp ult i64 %next, %size
  br i1 %more, label %look, label %tell
tell:
  %result = add i64 %lesser, 1
  ret i64 %result
}

; Forget the errors of the run before. No chunk may be open or running.
define internal void @clear(ptr %team) {
start:
  %size = load i64, ptr %team
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 5
  %contexts = load ptr, ptr %contexts.at
  br label %one
one:
  %t = phi i64 [ 0, %start ], [ %next, %one ]
  %context.at = getelementptr ptr, ptr %contexts, i64 %t
  %context = load ptr, ptr %context.at
  store i64 0, ptr %context
  %next = add i64 %t, 1
  %more = icmp ult i64 %next, %size
  br i1 %more, label %one, label %end
end:
  ret void
}

; Rows first to last - 1 with the team, which is the caller's.
define internal i64 @lead(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context) {
start:
  %size = load i64, ptr %team
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 5
  %contexts = load ptr, ptr %contexts.at
  store ptr %context, ptr %contexts
  call void @clear(ptr %team)
  br label %next
next:
  %r = phi i64 [ %first, %start ], [ %after, %done ], [ %after, %check ]
  %more = icmp slt i64 %r, %last
  br i1 %more, label %row, label %end
row:
  %row.at = getelementptr %Row, ptr %rows, i64 %r
  %chunks = call i64 @chunks(ptr %row.at, i64 %size)
  switch i64 %chunks, label %together [ i64 0, label %done
                                        i64 1, label %alone ]
alone:
  call void @run_row(ptr %row.at, ptr %context)
  br label %done
together:
  call void @share(ptr %team, ptr %row.at, i64 %chunks, ptr %context)
  br label %done
done:
  %after = add i64 %r, 1
  %flags.at = getelementptr %Row, ptr %row.at, i64 0, i32 8
  %flags = load i64, ptr %flags.at
  %checked = and i64 %flags, 1
  %unchecked = icmp eq i64 %checked, 0
  br i1 %unchecked, label %next, label %check
check:
  %so.far = call i64 @collect(ptr %team)
  %fine = icmp eq i64 %so.far, 0
  br i1 %fine, label %next, label %end
end:
  %code = call i64 @collect(ptr %team)
  ret i64 %code
}

; Run a table with the whole team; alone if somebody else has the team, or if there is none in this process.
define i64 @run_team(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context) {
start:
  %taken = call i64 @take(ptr %team, i64 1)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %ask, label %alone
ask:
  %size = load i64, ptr %team
  %crowd = icmp ugt i64 %size, 1
  %process.at = getelementptr %Team, ptr %team, i64 0, i32 1
  %process = load i64, ptr %process.at
  %here = call i32 @getpid()
  %here.wide = zext i32 %here to i64
  %at.home = icmp eq i64 %process, %here.wide
  %can = and i1 %crowd, %at.home
  br i1 %can, label %together, label %give.back
give.back:
  call void @team_release(ptr %team, i64 1)
  br label %alone
alone:
  %code.alone = call i64 @run_alone(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context)
  ret i64 %code.alone
together:
  %code = call i64 @lead(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context)
  call void @team_release(ptr %team, i64 1)
  ret i64 %code
}

; The life of a worker: wait for chunks, run them, until told to go.
define internal ptr @worker(ptr %self) {
start:
  %team = load ptr, ptr %self
  %t.at = getelementptr %Worker, ptr %self, i64 0, i32 1
  %t = load i64, ptr %t.at
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 5
  %contexts = load ptr, ptr %contexts.at
  %context.at = getelementptr ptr, ptr %contexts, i64 %t
  %context = load ptr, ptr %context.at
  %open = getelementptr %Team, ptr %team, i64 0, i32 13
  %bed = getelementptr %Team, ptr %team, i64 0, i32 19
  br label %idle
idle:
  %seen = call i64 @wait(ptr %team, ptr %open, ptr %bed)
  %stay = icmp sgt i64 %seen, 0
  br i1 %stay, label %work, label %go
work:
  %helped = call i1 @help(ptr %team, ptr %context)
  br label %idle
go:
  ret ptr null
}

; Make %count workers, for a team that has none. 0 if somebody else has the team just now, else 1. Starting and stopping
; are one call each, which no Python signal handler can interrupt half-way.
define i64 @team_start(ptr %team, ptr %contexts, ptr %workers, i64 %count, i64 %process, i64 %set.mask) {
start:
  %taken = call i64 @take(ptr %team, i64 1)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %ask, label %no
no:
  ret i64 0
ask:
  %size = load i64, ptr %team
  %none = icmp eq i64 %size, 0
  br i1 %none, label %make, label %done
make:
  %contexts.at = getelementptr %Team, ptr %team, i64 0, i32 5
  store ptr %contexts, ptr %contexts.at
  %workers.at = getelementptr %Team, ptr %team, i64 0, i32 6
  store ptr %workers, ptr %workers.at
  %process.at = getelementptr %Team, ptr %team, i64 0, i32 1
  store i64 %process, ptr %process.at
  call void @hire(ptr %team, ptr %workers, i64 %count, i64 %set.mask)
  br label %done
done:
  call void @team_release(ptr %team, i64 1)
  ret i64 1
}

; The workers inherit a mask that keeps all signals from them; %set.mask is the number of SIG_SETMASK. There are fewer
; where the system gives no more threads.
define internal void @hire(ptr %team, ptr %workers, i64 %count, i64 %set.mask) {
start:
  %blocked = alloca [128 x i8], align 16 ; as large as any sigset_t
  %former = alloca [128 x i8], align 16
  %set.mask.int = trunc i64 %set.mask to i32
  %filled = call i32 @sigfillset(ptr %blocked)
  %masked = call i32 @pthread_sigmask(i32 %set.mask.int, ptr %blocked, ptr %former)
  br label %next
next:
  %k = phi i64 [ 0, %start ], [ %t, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %done
one:
  %t = add i64 %k, 1
  %worker = getelementptr %Worker, ptr %workers, i64 %k
  store ptr %team, ptr %worker
  %t.at = getelementptr %Worker, ptr %worker, i64 0, i32 1
  store i64 %t, ptr %t.at
  %thread.at = getelementptr %Worker, ptr %worker, i64 0, i32 2
  %failed = call i32 @pthread_create(ptr %thread.at, ptr null, ptr @worker, ptr %worker)
  %hired = icmp eq i32 %failed, 0
  br i1 %hired, label %next, label %done
done:
  %number = phi i64 [ %k, %next ], [ %k, %one ]
  %unmasked = call i32 @pthread_sigmask(i32 %set.mask.int, ptr %former, ptr null)
  %size = add i64 %number, 1
  store i64 %size, ptr %team
  ret void
}

; Send the workers home and wait until they have gone. 0 if somebody else has the team just now, else 1. Who stops it
; for a fork (2) keeps it until @team_release.
define i64 @team_stop(ptr %team, i64 %who) {
start:
  %taken = call i64 @take(ptr %team, i64 %who)
  %mine = icmp eq i64 %taken, 1
  br i1 %mine, label %dismiss, label %no
no:
  ret i64 0
dismiss:
  %size = load i64, ptr %team
  %workers.at = getelementptr %Team, ptr %team, i64 0, i32 6
  %workers = load ptr, ptr %workers.at
  %open = getelementptr %Team, ptr %team, i64 0, i32 13
  %bed = getelementptr %Team, ptr %team, i64 0, i32 19
  call void @tell(ptr %open, i64 -1, ptr %bed)
  br label %next
next:
  %t = phi i64 [ 1, %dismiss ], [ %t.after, %join ]
  %more = icmp ult i64 %t, %size
  br i1 %more, label %join, label %gone
join:
  %k = sub i64 %t, 1
  %thread.at = getelementptr %Worker, ptr %workers, i64 %k, i32 2
  %thread = load ptr, ptr %thread.at
  %joined = call i32 @pthread_join(ptr %thread, ptr null)
  %t.after = add i64 %t, 1
  br label %next
gone:
  store atomic i64 0, ptr %open monotonic, align 8
  store i64 0, ptr %team
  %fork = icmp eq i64 %who, 2
  br i1 %fork, label %keep, label %give.back
give.back:
  call void @team_release(ptr %team, i64 %who)
  br label %keep
keep:
  ret i64 1
}
